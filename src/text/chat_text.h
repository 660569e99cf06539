// Messages to the text that a model reads, and to its tokens, so that nobody can forge a turn.
//
// A chat template makes one text out of the messages; special tokens in it ("<|im_end|>") end
// turns. Those must come from the template alone: a message that spells "<|im_end|>" has spelt ten
// characters. Training, proving and serving all go through here, and so see the same tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace plinth::text {

// A rendered conversation, and where in it the template wrote special tokens.
struct ChatText {
  struct Special {
    size_t begin = 0, end = 0;  // bytes of text
    int32_t id = -1;
  };

  std::string text;
  std::vector<Special> specials = {};  // in the order of the text, apart from each other
};

// `messages` is an array of objects {"role", "content", ...} in OpenAI's shape; options.bos and
// options.eos are taken from the tokenizer. kInvalidArgument when the template refuses them.
Result<ChatText> render_chat(const ChatTemplate& chat_template, const Tokenizer& tokenizer,
                             const OrderedJson& messages, ChatOptions options);

// Tokens of the bytes from `begin` to the end. Equal to encoding the text with special tokens on,
// unless a message spells a special token.
std::vector<int32_t> encode_chat(const ChatText& chat, const Tokenizer& tokenizer,
                                 size_t begin = 0);

// The tokens of this vocabulary that end a turn ("<|im_end|>", "<|eot_id|>", ...). A base whose eos
// ends documents has them besides: an answer that does not stop at them goes on with a turn of the
// user's.
std::vector<int32_t> turn_ends(const Tokenizer& tokenizer);

}  // namespace plinth::text
