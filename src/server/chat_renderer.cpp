#include "server/chat_renderer.h"

#include "server/chat.h"

namespace plinth::server {

Result<train::ChatRenderer> chat_renderer(const std::shared_ptr<const model::Model>& base) {
  if (base->chat_template().empty())
    return make_error(Code::kFailedPrecondition, "base {} has no chat template",
                      base->config().name);
  PLINTH_TRY(auto parsed, text::ChatTemplate::parse(base->chat_template()));
  const auto chat_template = std::make_shared<const text::ChatTemplate>(std::move(parsed));
  const auto style = tool_style(base->chat_template());
  return train::ChatRenderer([base, chat_template, style](const train::Conversation& conversation,
                                                          bool add_generation_prompt) {
    ToolRequest tools;
    tools.json = conversation.tools;
    if (!tools.json.is_null()) tools.choice = ToolRequest::Choice::kAuto;
    return render_turns({*chat_template, style, base->tokenizer()}, conversation.messages, tools,
                        add_generation_prompt);
  });
}

}  // namespace plinth::server
