// From a request's text or token ids to tokens that the base can read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/request_fields.h"
#include "server/services.h"

namespace plinth::server {

// Texts begin as the tokenizer says (BOS). Special tokens are recognised in them only with
// `parse_special`: where the client is the author of the whole text. kInvalidArgument, naming
// `place`, for no tokens, ids outside the vocabulary and more than `tokens_max` of them.
Result<std::vector<int32_t>> to_tokens(const text::Tokenizer& tokenizer, const TextOrTokens& input,
                                       bool parse_special, int64_t tokens_max,
                                       const std::string& place);

// The answer goes on to its limit: none of the tokens that would end it may come ("ignore_eos", for
// measuring).
void ignore_ends(const text::Tokenizer& tokenizer, engine::Request& request);

}  // namespace plinth::server
