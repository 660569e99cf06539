#include "server/openai_chat.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "server/chat.h"
#include "server/chat_answer.h"
#include "server/chat_request.h"
#include "server/errors.h"

namespace plinth::server {
namespace {

constexpr size_t kFingerprintDigits = 12;

// One answer in the making. Kept alive by the engine's sink and by work on the strand.
class ChatCall : public std::enable_shared_from_this<ChatCall> {
 public:
  ChatCall(const Services& services, const Call& call, ChatRequest request, DomainModelPtr model)
      : services_(services),
        exchange_(call.exchange),
        key_(call.key),
        request_(std::move(request)),
        model_(std::move(model)) {
    head_.id = "chatcmpl-" + exchange_->request().id;
    head_.model = request_.model;
    head_.fingerprint = "fp_" + model_->digest.substr(0, kFingerprintDigits);
    head_.created_s = system_clock().unix_ms() / 1000;
    answer_.choices.resize(static_cast<size_t>(request_.n));
    if (request_.logprobs)
      for (Choice& choice : answer_.choices) choice.logprobs = Json::array();
  }

  void start() {
    engine::Request work;
    if (!request_.schema.empty()) {
      auto grammar = services_.schemas.get(request_.schema);
      if (!grammar) return refuse({.error = grammar.error(), .param = "response_format"});
      work.grammar = *std::move(grammar);
    }
    auto prepared =
        prepare_chat(*model_, services_.engine.model().tokenizer(), std::move(request_.messages));
    if (!prepared) return refuse({.error = prepared.error(), .param = "messages"});
    const int64_t context = services_.engine.model().config().context;
    if (const auto tokens = std::ssize(prepared->prompt); tokens >= context)
      return refuse(
          {.error = invalid("messages: {} tokens do not fit the context of {}", tokens, context),
           .param = "messages",
           .code = "context_length_exceeded"});
    if (model_->knowledge != nullptr) answer_.citations = citations_json(prepared->citations);

    work.prompt = std::move(prepared->prompt);
    work.registered = model_->adapter;
    work.sampling = request_.sampling;
    work.tokens_max = request_.tokens_max.value_or(context);
    work.stop = request_.stop;
    work.stop_tokens = std::move(prepared->stop_tokens);
    work.stop_tokens.insert(work.stop_tokens.end(), request_.stop_tokens.begin(),
                            request_.stop_tokens.end());
    work.n = request_.n;
    work.cache_salt = std::to_string(key_.tenant_id);
    work.sink = [self = shared_from_this()](const engine::Event& event) {
      self->exchange_->post([self, event] { self->take(event); });
    };
    const auto submitted = services_.engine.submit(std::move(work));
    if (!submitted)
      return refuse({.error = submitted.error(),
                     .code = submitted.error().code == Code::kResourceExhausted
                                 ? "rate_limit_exceeded"
                                 : ""});
    exchange_->on_gone([&engine = services_.engine, id = *submitted] { engine.cancel(id); });
  }

 private:
  void refuse(const ApiError& error) {
    exchange_->reply(error_response(error, exchange_->request().id));
  }

  void take(const engine::Event& event) {
    if (!first_seen_ && event.id >= 0) {
      first_seen_ = true;
      observe_seconds("plinth_time_to_first_token_seconds", watch_.seconds());
    }
    if (event.finished && event.reason == engine::FinishReason::kError) error_ = event.error;
    if (!error_ && request_.stream) take_streamed(event);
    if (!error_ && !request_.stream) take_whole(event);
    if (event.finished) finish_choice(event);
  }

  // The token that ends an answer (eos) is not part of it.
  bool wants_logprob(const engine::Event& event) const {
    return request_.logprobs && event.id >= 0 &&
           !services_.engine.model().tokenizer().is_special(event.id);
  }

  void take_whole(const engine::Event& event) {
    Choice& choice = choice_of(event);
    choice.text += event.text;
    if (wants_logprob(event))
      choice.logprobs.push_back(logprob_json(services_.engine.model().tokenizer(), event));
  }

  // The head goes out with the first event, so that an error before it has a status of its own.
  void take_streamed(const engine::Event& event) {
    if (!streaming_) {
      streaming_ = true;
      exchange_->begin_stream(
          {.content_type = "text/event-stream; charset=utf-8",
           .headers = {{"cache-control", "no-cache"}, {"x-accel-buffering", "no"}},
           .body = chunk(0, {{"role", "assistant"}, {"content", ""}})});
      for (size_t index = 1; index < answer_.choices.size(); ++index)
        exchange_->write(chunk(index, {{"role", "assistant"}, {"content", ""}}));
    }
    const bool scored = wants_logprob(event);
    if (event.text.empty() && !scored) return;
    Json choice = {{"index", event.choice}, {"delta", {{"content", event.text}}}};
    if (scored)
      choice["logprobs"] = {
          {"content", Json::array({logprob_json(services_.engine.model().tokenizer(), event)})}};
    exchange_->write(sse(chunk_json(head_, std::move(choice), request_.include_usage)));
  }

  std::string chunk(size_t index, Json delta) const {
    return sse(
        chunk_json(head_, {{"index", index}, {"delta", std::move(delta)}}, request_.include_usage));
  }

  Choice& choice_of(const engine::Event& event) {
    return answer_.choices[static_cast<size_t>(event.choice)];
  }

  // All choices share one prompt.
  void finish_choice(const engine::Event& event) {
    choice_of(event).reason = event.reason;
    answer_.usage.prompt_tokens = event.usage.prompt_tokens;
    answer_.usage.cached_tokens = event.usage.cached_tokens;
    answer_.usage.completion_tokens += event.usage.completion_tokens;
    if (++choices_finished_ == request_.n) bill();
  }

  // The worst of the choices' ends.
  engine::FinishReason outcome() const {
    auto worst = answer_.choices[0].reason;
    for (const Choice& choice : answer_.choices) worst = std::max(worst, choice.reason);
    return worst;
  }

  // The usage row first, the end of the answer when it is durable.
  void bill() {
    const engine::Usage& usage = answer_.usage;
    const std::string ended(finish_name(outcome()));
    count("plinth_tokens_total", static_cast<double>(usage.prompt_tokens), {{"kind", "prompt"}});
    count("plinth_tokens_total", static_cast<double>(usage.completion_tokens),
          {{"kind", "completion"}});
    count("plinth_tokens_total", static_cast<double>(usage.cached_tokens), {{"kind", "cached"}});
    count("plinth_answers_total", 1, {{"outcome", ended}});
    services_.ledger.add({.request_id = exchange_->request().id,
                          .tenant_id = key_.tenant_id,
                          .key_id = key_.id,
                          .model = request_.model,
                          .model_digest = model_->digest,
                          .prompt_tokens = usage.prompt_tokens,
                          .completion_tokens = usage.completion_tokens,
                          .cached_tokens = usage.cached_tokens,
                          .outcome = ended},
                         [self = shared_from_this()](const Status& written) {
                           self->exchange_->post([self, written] { self->finish(written); });
                         });
  }

  void finish(const Status& written) {
    observe_seconds("plinth_answer_seconds", watch_.seconds());
    if (!written && !error_)
      error_ = Error{written.error().code, "the usage ledger: " + written.error().message};
    if (error_ && !streaming_) return refuse({.error = *error_});
    if (error_) {
      // In mid-stream an error is an event of its own, and there is no [DONE] behind it.
      exchange_->write("data: " + error_body({.error = *error_}, exchange_->request().id) + "\n\n");
      return exchange_->end();
    }
    if (!request_.stream) return exchange_->reply({.body = to_text(whole_json(head_, answer_))});
    Json delta = Json::object();
    if (!answer_.citations.is_null()) delta["citations"] = answer_.citations;
    for (size_t index = 0; index < answer_.choices.size(); ++index)
      exchange_->write(
          sse(chunk_json(head_,
                         {{"index", index},
                          {"delta", delta},
                          {"finish_reason", finish_name(answer_.choices[index].reason)}},
                         request_.include_usage)));
    if (request_.include_usage) exchange_->write(sse(usage_chunk_json(head_, answer_.usage)));
    exchange_->write("data: [DONE]\n\n");
    exchange_->end();
  }

  const Services services_;
  const ExchangePtr exchange_;
  const store::KeyInfo key_;
  ChatRequest request_;
  const DomainModelPtr model_;
  AnswerHead head_;
  Stopwatch watch_;
  WholeAnswer answer_;
  int32_t choices_finished_ = 0;
  bool streaming_ = false;
  bool first_seen_ = false;
  std::optional<Error> error_;
};

}  // namespace

void handle_chat(const Services& services, const Call& call) {
  const HttpRequest& http = call.exchange->request();
  const auto refuse = [&](const ApiError& error) {
    call.exchange->reply(error_response(error, http.id));
  };
  std::string param;
  auto request = parse_chat_request(http.body, param);
  if (!request) return refuse({.error = request.error(), .param = param});
  auto model = services.models.resolve(request->model);
  if (!model) {
    const bool unknown = model.error().code == Code::kNotFound;
    return refuse({.error = model.error(),
                   .param = unknown ? "model" : "",
                   .code = unknown ? "model_not_found" : ""});
  }
  std::make_shared<ChatCall>(services, call, *std::move(request), *std::move(model))->start();
}

}  // namespace plinth::server
