// A real byte-level tokenizer with the special tokens of ChatML, trained on next to nothing.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "text/tokenizer.h"

namespace plinth::server {

inline constexpr std::string_view kChatMl =
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

inline std::shared_ptr<const text::Tokenizer> chat_tokenizer() {
  const std::vector<std::string_view> texts = {"user user assistant assistant system 合同 合同"};
  auto spec = text::train_bpe(
      texts, {.vocabulary = 280, .special = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}});
  PLINTH_CHECK(spec.has_value(), "train_bpe");
  for (const int32_t id : spec->special)
    if (spec->tokens[static_cast<size_t>(id)] == "<|im_end|>") spec->eos = id;
  auto tokenizer = text::Tokenizer::from_spec(*std::move(spec));
  PLINTH_CHECK(tokenizer.has_value(), "from_spec");
  return *tokenizer;
}

}  // namespace plinth::server
