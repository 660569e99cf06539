#include "server/examination.h"

#include "server/chat_renderer.h"
#include "text/chat_text.h"

namespace plinth::server {

Result<eval::EvalOptions> examination(const std::shared_ptr<const model::Model>& base,
                                      uint64_t seed) {
  eval::EvalOptions options;
  options.seed = seed;
  if (base->chat_template().empty()) return options;
  PLINTH_TRY(const auto render, chat_renderer(base));
  options.stop_tokens = text::turn_ends(base->tokenizer());
  options.prompt = [render, base](std::string_view question) -> Result<std::vector<int32_t>> {
    PLINTH_TRY(const auto chat,
               render({Json::array({{{"role", "user"}, {"content", question}}})}, true));
    return text::encode_chat(chat, base->tokenizer());
  };
  return options;
}

}  // namespace plinth::server
