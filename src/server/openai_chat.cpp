#include "server/openai_chat.h"

#include <utility>

#include "server/answer_call.h"
#include "server/chat.h"
#include "server/chat_answer.h"
#include "server/chat_format.h"
#include "server/chat_grammar.h"
#include "server/chat_request.h"
#include "server/text_input.h"

namespace plinth::server {
void handle_chat(const Services& services, const Call& call) {
  std::string param;
  auto request = parse_chat_request(call.exchange->request().body, param);
  if (!request) return refuse(call, {.error = request.error(), .param = param});
  const DomainModelPtr model = find_model(services, call, request->model);
  if (model == nullptr) return;

  engine::Request work;
  const text::Tokenizer& tokenizer = services.engine.model().tokenizer();
  auto grammar = answer_grammar(services.schemas, tokenizer, *request, model->tool_style, param);
  if (!grammar) return refuse(call, {.error = grammar.error(), .param = param});
  work.grammar = *std::move(grammar);
  auto prepared = prepare_chat(*model, tokenizer, std::move(request->messages), request->tools);
  if (!prepared) return refuse(call, {.error = prepared.error(), .param = "messages"});
  const int64_t context = services.engine.model().config().context;
  if (const auto tokens = std::ssize(prepared->prompt); tokens >= context)
    return refuse(call, {.error = invalid("messages: {} tokens do not fit the context of {}",
                                          tokens, context),
                         .param = "messages",
                         .code = "context_length_exceeded"});

  work.prompt = std::move(prepared->prompt);
  work.sampling = request->sampling;
  work.tokens_max = request->tokens_max.value_or(context);
  work.stop = request->stop;
  work.stop_tokens = std::move(prepared->stop_tokens);
  work.stop_tokens.insert(work.stop_tokens.end(), request->stop_tokens.begin(),
                          request->stop_tokens.end());
  work.n = request->n;
  if (request->ignore_eos) ignore_ends(tokenizer, work);

  AnswerPlan plan{.model = request->model, .release = model, .stream = request->stream};
  plan.requests.push_back(std::move(work));
  plan.format =
      chat_format(tokenizer, answer_head("chatcmpl-", call, *model, request->model), *request,
                  model->tool_style,
                  model->knowledge != nullptr ? citations_json(prepared->citations) : Json());
  AnswerCall::start(services, call, std::move(plan));
}

}  // namespace plinth::server
