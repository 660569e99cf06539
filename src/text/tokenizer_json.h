// The Hugging Face tokenizer.json, as Plinth reads and writes it. Reading is
// Tokenizer::from_json().
#pragma once

#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace plinth::text {

// bos, eos and pad have no place in this file: they live in tokenizer_config.json. `merges`: the
// spec's own, or those that follow from its scores.
std::string write_tokenizer_json(const TokenizerSpec& spec, const std::vector<std::string>& merges);

}  // namespace plinth::text
