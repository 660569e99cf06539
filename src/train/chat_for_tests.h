// For tests: ChatML as a run of the program renders it.
#pragma once

#include "core/check.h"
#include "text/chat_text.h"
#include "train/train.h"

namespace plinth::train {

// `tokenizer` outlives the renderer.
inline ChatRenderer chatml(const text::Tokenizer& tokenizer) {
  return [&tokenizer](const Conversation& conversation,
                      bool add_generation_prompt) -> Result<text::ChatText> {
    PLINTH_TRY(const auto parsed, text::ChatTemplate::parse(std::string(chatml_template())));
    return text::render_chat(parsed, tokenizer, conversation.messages,
                             {.add_generation_prompt = add_generation_prompt});
  };
}

}  // namespace plinth::train
