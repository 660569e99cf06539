#include "cli/prompts.h"

#include "text/chat_template.h"

namespace plinth::cli {

Result<train::ChatRenderer> chat_renderer(const std::shared_ptr<const model::Model>& base) {
  if (base->chat_template().empty())
    return make_error(Code::kFailedPrecondition, "base {} has no chat template",
                      base->config().name);
  PLINTH_TRY(auto parsed, text::ChatTemplate::parse(base->chat_template()));
  text::ChatOptions options;
  const auto& tokenizer = base->tokenizer();
  const auto special_text = [&](int32_t id) {
    return id < 0 ? std::string() : tokenizer.decode(std::span(&id, 1), true);
  };
  options.bos = special_text(tokenizer.bos());
  options.eos = special_text(tokenizer.eos());
  const auto shared = std::make_shared<const text::ChatTemplate>(std::move(parsed));
  return train::ChatRenderer([shared, options](const Json& messages, bool add_generation_prompt) {
    auto with_prompt = options;
    with_prompt.add_generation_prompt = add_generation_prompt;
    return shared->render(messages, with_prompt);
  });
}

}  // namespace plinth::cli
