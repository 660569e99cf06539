// The settings of a TokenizerSpec that other formats have no place for, as a short JSON text. Token
// lists, merges, scores and the ids of roles are not part of it.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "text/tokenizer.h"

namespace plinth::text {

std::string write_spec_options(const TokenizerSpec& spec);

// Sets what the text names; an unknown name or a value of another type is an error. Whether the
// settings fit together is for Tokenizer::from_spec() to say.
Status read_spec_options(std::string_view options, TokenizerSpec& spec);

}  // namespace plinth::text
