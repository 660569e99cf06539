#include "server/openai_chat.h"

#include <utility>

#include "server/chat.h"
#include "server/chat_answer.h"
#include "server/chat_format.h"
#include "server/chat_grammar.h"
#include "server/text_input.h"

namespace plinth::server {
namespace {

// What a client writes goes to the model by other ways as well: arguments of calls, descriptions of
// tools. Their names stay: calls are told apart by them.
Status check_texts(const ContentFilter& filter, text::OrderedJson& value) {
  if (value.is_string()) return filter.check_input(value.get_ref<std::string&>());
  if (value.is_array())
    for (text::OrderedJson& one : value) {
      PLINTH_TRY(check_texts(filter, one));
    }
  if (value.is_object())
    for (const auto& [key, member] : value.items()) {
      if (key == "name" || key == "id" || key == "type") continue;
      PLINTH_TRY(check_texts(filter, member));
    }
  return {};
}

Status check_input(const ContentFilter& filter, ChatRequest& request) {
  for (Message& message : request.messages) {
    PLINTH_TRY(filter.check_input(message.content));
    PLINTH_TRY(filter.check_input(message.name));
    PLINTH_TRY(check_texts(filter, message.tool_calls));
  }
  return check_texts(filter, request.tools.json);
}

}  // namespace

void answer_chat(const Services& services, const Call& call, ChatRequest request,
                 const std::string& place, const MakeFormat& make_format) {
  const DomainModelPtr model = find_model(services, call, request.model);
  if (model == nullptr) return;

  const auto filter = services.settings.filter();
  // They would spell out what is masked.
  if (filter != nullptr && request.logprobs)
    return refuse(call, {.error = invalid("logprobs: not given where answers are filtered"),
                         .param = "logprobs"});
  if (filter != nullptr)
    if (const Status fine = check_input(*filter, request); !fine)
      return refuse(call, {.error = fine.error(), .param = place, .code = "content_filter"});

  engine::Request work;
  std::string param;
  const text::Tokenizer& tokenizer = services.engine.model().tokenizer();
  auto grammar = answer_grammar(services.schemas, tokenizer, request, model->tool_style, param);
  if (!grammar) return refuse(call, {.error = grammar.error(), .param = param});
  work.grammar = *std::move(grammar);
  auto prepared = prepare_chat(*model, tokenizer, std::move(request.messages), request.tools);
  if (!prepared) return refuse(call, {.error = prepared.error(), .param = place});
  const int64_t context = services.engine.model().config().context;
  if (const auto tokens = std::ssize(prepared->prompt); tokens >= context)
    return refuse(call, {.error = invalid("{}: {} tokens do not fit the context of {}", place,
                                          tokens, context),
                         .param = place,
                         .code = "context_length_exceeded"});

  work.prompt = std::move(prepared->prompt);
  work.sampling = request.sampling;
  work.tokens_max = request.tokens_max.value_or(context);
  work.stop = request.stop;
  work.stop_tokens = std::move(prepared->stop_tokens);
  work.stop_tokens.insert(work.stop_tokens.end(), request.stop_tokens.begin(),
                          request.stop_tokens.end());
  work.n = request.n;
  request.urgency.set(work);
  if (request.ignore_eos) ignore_ends(tokenizer, work);

  AnswerPlan plan{.model = request.model, .release = model, .stream = request.stream};
  plan.requests.push_back(std::move(work));
  plan.format = make_format(
      *model, request, model->knowledge != nullptr ? citations_json(prepared->citations) : Json());
  AnswerCall::start(services, call, std::move(plan));
}

void handle_chat(const Services& services, const Call& call) {
  std::string param;
  auto request = parse_chat_request(call.exchange->request().body, param);
  if (!request) return refuse(call, {.error = request.error(), .param = param});
  answer_chat(services, call, *std::move(request), "messages",
              [&](const DomainModel& model, const ChatRequest& chat, Json citations) {
                return chat_format(services.engine.model().tokenizer(),
                                   answer_head("chatcmpl-", call, model, chat.model), chat,
                                   model.tool_style, std::move(citations));
              });
}

}  // namespace plinth::server
