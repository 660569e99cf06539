#include "server/answer_call.h"

#include <algorithm>
#include <utility>

#include "core/metrics.h"
#include "server/chat_answer.h"

namespace plinth::server {

void AnswerCall::start(const Services& services, const Call& call, AnswerPlan plan) {
  const std::shared_ptr<AnswerCall> answer(new AnswerCall(services, call, std::move(plan)));
  answer->submit();
}

AnswerCall::AnswerCall(const Services& services, const Call& call, AnswerPlan plan)
    : services_(services), call_(call), plan_(std::move(plan)) {
  size_t choices = 0;
  for (const engine::Request& request : plan_.requests) {
    first_choice_.push_back(choices);
    choices += static_cast<size_t>(request.n);
    outcome_.usage.prompt_tokens += std::ssize(request.prompt);
  }
  outcome_.usage.core_s = plan_.core_s;
  outcome_.reasons.resize(choices, engine::FinishReason::kLength);
  outcome_.filtered.resize(choices);
  first_s_.resize(choices);
  if (call_.trace) begin_ns_ = services_.tracer->now_ns();
  if (const auto rules = services_.settings.filter()) filters_.assign(choices, FilteredText(rules));
}

void AnswerCall::submit() {
  if (plan_.prompts_only) return write_bill();
  for (size_t i = 0; i < plan_.requests.size(); ++i) {
    engine::Request& request = plan_.requests[i];
    request.registered = plan_.release->adapter;
    request.cache_salt = std::to_string(call_.key.tenant_id);
    request.sink = [self = shared_from_this(), i](const engine::Event& event) {
      self->call_.exchange->post([self, i, event] { self->take(i, event); });
    };
    const auto submitted = services_.engine.submit(std::move(request));
    if (!submitted) {
      refused_ = true;
      for (const auto id : ids_) services_.engine.cancel(id);
      const bool full = submitted.error().code == Code::kResourceExhausted;
      return refuse(call_, {.error = submitted.error(), .code = full ? "rate_limit_exceeded" : ""});
    }
    ids_.push_back(*submitted);
  }
  if (plan_.stream)
    call_.exchange->every(services_.keep_alive_ms,
                          [self = shared_from_this()] { self->keep_alive(); });
  call_.exchange->on_gone([&engine = services_.engine, ids = ids_] {
    for (const auto id : ids) engine.cancel(id);
  });
}

void AnswerCall::take(size_t request, engine::Event event) {
  if (refused_) return;
  const size_t choice = first_choice_[request] + static_cast<size_t>(event.choice);
  if (!filters_.empty()) filter(request, choice, event);
  if (event.id >= 0 && first_s_[choice] == 0) {
    first_s_[choice] = watch_.seconds();
    observe_seconds("plinth_time_to_first_token_seconds", first_s_[choice]);
  }
  if (event.finished && event.reason == engine::FinishReason::kError) error_ = event.error;
  if (!error_ && plan_.stream) {
    open_stream();
    spoke_ = true;
    call_.exchange->write(plan_.format->piece(choice, event));
  }
  if (!error_ && !plan_.stream) plan_.format->take(choice, event);
  if (event.finished) finish_choice(choice, event);
}

// A choice that is cut off goes on unseen until all of its request are; then the engine stops.
void AnswerCall::filter(size_t request, size_t choice, engine::Event& event) {
  event.text = filters_[choice].push(event.text, event.finished);
  if (!filters_[choice].blocked()) return;
  event.id = -1;  // neither text nor log-probabilities
  event.top.clear();
  if (!outcome_.filtered[choice]) {
    outcome_.filtered[choice] = true;
    const size_t end =
        request + 1 < first_choice_.size() ? first_choice_[request + 1] : outcome_.filtered.size();
    bool all = true;
    for (size_t i = first_choice_[request]; i < end; ++i) all = all && outcome_.filtered[i];
    if (all) services_.engine.cancel(ids_[request]);
  }
}

// The head goes out with the first event, so that an error before it has a status of its own.
void AnswerCall::open_stream() {
  if (std::exchange(streaming_, true)) return;
  call_.exchange->begin_stream(
      {.content_type = "text/event-stream; charset=utf-8",
       .headers = {{"cache-control", "no-cache"}, {"x-accel-buffering", "no"}},
       .body = plan_.format->begin()});
}

// While an answer waits in the queue or a long prompt is read: a comment, which clients skip, lets
// nobody on the way take the connection for dead. From here on an error is an event.
void AnswerCall::keep_alive() {
  if (std::exchange(spoke_, false)) return;
  open_stream();
  call_.exchange->write(": keep-alive\n\n");
}

void AnswerCall::finish_choice(size_t choice, const engine::Event& event) {
  outcome_.reasons[choice] = event.reason;
  const int64_t tokens = event.usage.completion_tokens;
  outcome_.usage.completion_tokens += tokens;
  outcome_.usage.core_s += event.usage.core_s;
  if (choice == 0) outcome_.usage.queued_s = event.usage.queued_s;
  // All choices of one request share its prompt.
  if (std::ranges::find(first_choice_, choice) != first_choice_.end())
    outcome_.usage.cached_tokens += event.usage.cached_tokens;
  if (tokens > 1)
    observe_seconds("plinth_time_per_output_token_seconds",
                    (watch_.seconds() - first_s_[choice]) / static_cast<double>(tokens - 1));
  if (++choices_finished_ == outcome_.reasons.size()) write_bill();
}

// The usage row first, the end of the answer when it is durable.
void AnswerCall::write_bill() {
  const auto worst = *std::ranges::max_element(outcome_.reasons);
  bill(services_, call_,
       {.model = plan_.model,
        .digest = plan_.release->digest,
        .usage = outcome_.usage,
        .outcome = std::string(finish_name(worst))},
       [self = shared_from_this()](const Status& written) { self->finish(written); });
}

// The first choice's way through the engine; a part that it never reached has no span.
void AnswerCall::trace() const {
  const auto at = [&](double seconds) { return begin_ns_ + static_cast<int64_t>(seconds * 1e9); };
  const int64_t end_ns = services_.tracer->now_ns();
  const auto span = [&](const char* name, int64_t from_ns, int64_t to_ns, Json attributes) {
    services_.tracer->add({.name = name,
                           .context = Tracer::below(call_.trace),
                           .parent = call_.trace.span,
                           .start_ns = from_ns,
                           .end_ns = std::max(from_ns, to_ns),
                           .failed = error_.has_value(),
                           .attributes = std::move(attributes)});
  };
  const double first_s = first_s_.empty() ? 0 : first_s_[0];
  const int64_t started_ns = at(outcome_.usage.queued_s);
  const int64_t first_ns = first_s > 0 ? at(first_s) : end_ns;
  span("queue", begin_ns_, started_ns, {{"gen_ai.request.model", plan_.model}});
  span("prefill", started_ns, first_ns,
       {{"gen_ai.usage.input_tokens", outcome_.usage.prompt_tokens},
        {"plinth.cached_tokens", outcome_.usage.cached_tokens},
        {"plinth.release", plan_.release->digest}});
  if (first_s == 0) return;
  const auto worst = *std::ranges::max_element(outcome_.reasons);
  span("decode", first_ns, end_ns,
       {{"gen_ai.usage.output_tokens", outcome_.usage.completion_tokens},
        {"plinth.choices", std::ssize(outcome_.reasons)},
        {"gen_ai.response.finish_reason", finish_name(worst)}});
}

void AnswerCall::finish(const Status& written) {
  const ExchangePtr& exchange = call_.exchange;
  if (call_.trace) trace();
  observe_seconds("plinth_answer_seconds", watch_.seconds());
  if (!written && !error_)
    error_ = Error{written.error().code, "the usage ledger: " + written.error().message};
  if (error_ && !streaming_) return refuse(call_, {.error = *error_});
  if (error_) {
    // In mid-stream an error is an event of its own, and there is no [DONE] behind it.
    exchange->write("data: " + error_body({.error = *error_}, exchange->request().id) + "\n\n");
    return exchange->end();
  }
  if (!plan_.stream) return exchange->reply({.body = to_text(plan_.format->whole(outcome_))});
  open_stream();
  exchange->write(plan_.format->end(outcome_).append(plan_.format->end_mark()));
  exchange->end();
}

}  // namespace plinth::server
