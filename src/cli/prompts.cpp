#include "cli/prompts.h"

#include "text/chat_text.h"

namespace plinth::cli {

Result<train::ChatRenderer> chat_renderer(const std::shared_ptr<const model::Model>& base) {
  if (base->chat_template().empty())
    return make_error(Code::kFailedPrecondition, "base {} has no chat template",
                      base->config().name);
  PLINTH_TRY(auto parsed, text::ChatTemplate::parse(base->chat_template()));
  const auto chat_template = std::make_shared<const text::ChatTemplate>(std::move(parsed));
  return train::ChatRenderer(
      [base, chat_template](const Json& messages, bool add_generation_prompt) {
        return text::render_chat(*chat_template, base->tokenizer(), messages,
                                 {.add_generation_prompt = add_generation_prompt});
      });
}

}  // namespace plinth::cli
