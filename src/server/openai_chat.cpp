#include "server/openai_chat.h"

#include <utility>

#include "server/answer_call.h"
#include "server/chat.h"
#include "server/chat_answer.h"
#include "server/chat_request.h"
#include "server/text_input.h"

namespace plinth::server {
namespace {

class ChatFormat : public AnswerFormat {
 public:
  ChatFormat(const text::Tokenizer& tokenizer, AnswerHead head, const ChatRequest& request,
             Json citations)
      : tokenizer_(tokenizer),
        head_(std::move(head)),
        logprobs_(request.logprobs),
        include_usage_(request.include_usage) {
    answer_.citations = std::move(citations);
    answer_.choices.resize(static_cast<size_t>(request.n));
    if (logprobs_)
      for (Choice& choice : answer_.choices) choice.logprobs = Json::array();
  }

  void take(size_t choice, const engine::Event& event) override {
    answer_.choices[choice].text += event.text;
    if (wants_logprob(event))
      answer_.choices[choice].logprobs.push_back(logprob_json(tokenizer_, event));
  }

  Json whole(const Outcome& outcome) override {
    for (size_t i = 0; i < answer_.choices.size(); ++i)
      answer_.choices[i].reason = outcome.reasons[i];
    answer_.usage = outcome.usage;
    return whole_json(head_, answer_);
  }

  std::string begin() override {
    std::string text;
    for (size_t i = 0; i < answer_.choices.size(); ++i)
      text += chunk({{"index", i}, {"delta", {{"role", "assistant"}, {"content", ""}}}});
    return text;
  }

  std::string piece(size_t choice, const engine::Event& event) override {
    const bool scored = wants_logprob(event);
    if (event.text.empty() && !scored) return "";
    Json json = {{"index", choice}, {"delta", {{"content", event.text}}}};
    if (scored) json["logprobs"] = {{"content", Json::array({logprob_json(tokenizer_, event)})}};
    return chunk(std::move(json));
  }

  std::string end(const Outcome& outcome) override {
    Json delta = Json::object();
    if (!answer_.citations.is_null()) delta["citations"] = answer_.citations;
    std::string text;
    for (size_t i = 0; i < outcome.reasons.size(); ++i)
      text += chunk(
          {{"index", i}, {"delta", delta}, {"finish_reason", finish_name(outcome.reasons[i])}});
    if (include_usage_) text += sse(usage_chunk_json(head_, outcome.usage));
    return text;
  }

 private:
  // The token that ends an answer (eos) is not part of it.
  bool wants_logprob(const engine::Event& event) const {
    return logprobs_ && event.id >= 0 && !tokenizer_.is_special(event.id);
  }

  std::string chunk(Json choice) const {
    return sse(chunk_json(head_, std::move(choice), include_usage_));
  }

  const text::Tokenizer& tokenizer_;  // of the engine's model
  const AnswerHead head_;
  const bool logprobs_;
  const bool include_usage_;
  WholeAnswer answer_;
};

}  // namespace

void handle_chat(const Services& services, const Call& call) {
  std::string param;
  auto request = parse_chat_request(call.exchange->request().body, param);
  if (!request) return refuse(call, {.error = request.error(), .param = param});
  const DomainModelPtr model = find_model(services, call, request->model);
  if (model == nullptr) return;

  engine::Request work;
  if (!request->schema.empty()) {
    auto grammar = services.schemas.get(request->schema);
    if (!grammar) return refuse(call, {.error = grammar.error(), .param = "response_format"});
    work.grammar = *std::move(grammar);
  }
  const text::Tokenizer& tokenizer = services.engine.model().tokenizer();
  auto prepared = prepare_chat(*model, tokenizer, std::move(request->messages));
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
  plan.format = std::make_unique<ChatFormat>(
      tokenizer, answer_head("chatcmpl-", call, *model, request->model), *request,
      model->knowledge != nullptr ? citations_json(prepared->citations) : Json());
  AnswerCall::start(services, call, std::move(plan));
}

}  // namespace plinth::server
