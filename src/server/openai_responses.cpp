#include "server/openai_responses.h"

#include <utility>

#include "server/openai_chat.h"
#include "server/response_format.h"
#include "server/response_request.h"

namespace plinth::server {

void handle_responses(const Services& services, const Call& call) {
  std::string param;
  auto request = parse_response_request(call.exchange->request().body, param);
  if (!request) return refuse(call, {.error = request.error(), .param = param});
  answer_chat(services, call, std::move(request->chat), "input",
              [&](const DomainModel& model, const ChatRequest& chat, Json citations) {
                return response_format(services.engine.model().tokenizer(),
                                       answer_head("resp-", call, model, chat.model), chat,
                                       model.tool_style, std::move(request->echo),
                                       std::move(citations));
              });
}

}  // namespace plinth::server
