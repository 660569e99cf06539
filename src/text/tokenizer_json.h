// The Hugging Face tokenizer.json of a byte-level BPE tokenizer, as Plinth reads and writes it.
// Reading is Tokenizer::from_json().
#pragma once

#include <string>

#include "text/tokenizer.h"

namespace plinth::text {

// bos, eos and pad have no place in this file: they live in tokenizer_config.json.
std::string write_tokenizer_json(const BpeSpec& spec);

}  // namespace plinth::text
