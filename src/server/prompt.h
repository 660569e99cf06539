// Messages to prompt tokens, so that nobody can forge a turn.
//
// A chat template makes one text out of the messages; special tokens in it ("<|im_end|>") end
// turns. Those must come from the template alone: a user who writes "<|im_end|>" has written ten
// characters.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace plinth::server {

struct Message {
  std::string role = {};  // "system", "user", "assistant"
  std::string content = {};
};

// The tokens of the rendered conversation, with the generation prompt behind it. Equal to encoding
// the rendered text with special tokens on, unless a message spells a special token.
// kInvalidArgument when the template refuses the messages.
Result<std::vector<int32_t>> encode_prompt(const text::ChatTemplate& chat_template,
                                           const text::Tokenizer& tokenizer,
                                           const std::vector<Message>& messages);

}  // namespace plinth::server
