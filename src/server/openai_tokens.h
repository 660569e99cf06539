// POST /v1/tokenize and POST /v1/detokenize: how the base spells a text or a conversation. Nothing
// is computed and nothing billed. The shape is vLLM's.
#pragma once

#include "server/services.h"

namespace plinth::server {

// {"model", "prompt"} or {"model", "messages"} -> {"count", "max_model_len", "tokens"}, with
// "return_token_strs" also "token_strs". A prompt begins as the tokenizer says unless
// "add_special_tokens" is false.
void handle_tokenize(const Services& services, const Call& call);

// {"model", "tokens"} -> {"prompt"}
void handle_detokenize(const Services& services, const Call& call);
// The special tokens and the template, for clients that would otherwise download them.
void handle_tokenizer_info(const Services& services, const Call& call);

}  // namespace plinth::server
