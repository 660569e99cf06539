#include "server/answer_call.h"

#include <algorithm>
#include <utility>

#include "core/log.h"
#include "core/metrics.h"
#include "server/chat_answer.h"
#include "server/moderator.h"

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
  const auto moderator = services_.settings.moderator();
  if (moderator != nullptr && moderator->judges_answers())
    held_.assign(choices, HeldChoice(plan_.stream));
}

void AnswerCall::submit() {
  if (plan_.prompts_only) return write_bill();
  for (size_t i = 0; i < plan_.requests.size(); ++i) {
    engine::Request& request = plan_.requests[i];
    request.registered = plan_.release->adapter;
    request.cache_salt = std::to_string(call_.key.tenant_id);
    request.sink = [self = shared_from_this(), i](const engine::Event& event) {
      const size_t choice = self->first_choice_[i] + static_cast<size_t>(event.choice);
      self->call_.exchange->post([self, choice, event] { self->take(choice, event); });
    };
    const auto submitted = services_.engine.submit(std::move(request));
    if (!submitted) {
      refused_ = true;
      cancel();
      const bool full = submitted.error().code == Code::kResourceExhausted;
      return refuse(call_, {.error = submitted.error(), .code = full ? "rate_limit_exceeded" : ""});
    }
    ids_.push_back(*submitted);
  }
  if (plan_.stream)
    call_.exchange->every(services_.keep_alive_ms,
                          [self = shared_from_this()] { self->keep_alive(); });
  // Not the owner: the exchange, which this owns, keeps it.
  call_.exchange->on_gone([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->gone_ = true;
    self->cancel();
  });
  call_.exchange->on_cut([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr || self->choices_finished_ == self->outcome_.reasons.size()) return;
    if (!self->error_)
      self->error_ = {Code::kUnavailable,
                      "the server is shutting down: the answer is not complete"};
    self->told_ = true;
    self->say_error();
  });
}

void AnswerCall::cancel() {
  for (const auto id : ids_) services_.engine.cancel(id);
}

void AnswerCall::take(size_t choice, engine::Event event) {
  if (refused_) return;
  if (!filters_.empty()) filter(choice, event);
  if (event.id >= 0 && first_s_[choice] == 0) {
    first_s_[choice] = watch_.seconds();
    observe_seconds("plinth_time_to_first_token_seconds", first_s_[choice]);
  }
  if (event.finished && event.reason == engine::FinishReason::kError) error_ = event.error;
  if (held_.empty()) return show(choice, event);
  held_[choice].push(std::move(event));
  judge(choice);
}

void AnswerCall::show(size_t choice, const engine::Event& event) {
  if (!error_ && plan_.stream) {
    open_stream();
    spoke_ = true;
    call_.exchange->write(plan_.format->piece(choice, event));
  }
  if (!error_ && !plan_.stream) plan_.format->take(choice, event);
  if (event.finished) finish_choice(choice, event);
}

// What is held of a choice goes to the moderator as soon as that is due, and out when nobody has
// anything against it, or nobody would see it.
void AnswerCall::judge(size_t choice) {
  HeldChoice& held = held_[choice];
  if (held.asking()) return;
  const auto moderator = services_.settings.moderator();
  if (error_ || gone_ || held.clear() || moderator == nullptr) {
    for (const engine::Event& event : held.release()) show(choice, event);
    return;
  }
  if (!held.due()) return;
  moderator->judge(
      {held.ask()}, [self = shared_from_this(), choice,
                     passes = moderator->passes_unavailable()](Result<std::string> verdict) {
        self->call_.exchange->post([self, choice, passes, verdict = std::move(verdict)] {
          self->judged(choice, verdict, passes);
        });
      });
}

void AnswerCall::judged(size_t choice, const Result<std::string>& verdict, bool passes) {
  count_judgement(verdict, FilterSide::kOutput);
  if (!verdict && passes) log_warn("an answer passed unseen: {}", verdict.error().message);
  if (!verdict && !passes) {
    if (!error_) error_ = verdict.error();
    cancel();
  }
  if (verdict && !verdict->empty()) {
    held_[choice].block();
    cut_off(choice);
  }
  for (const engine::Event& event : held_[choice].release()) show(choice, event);
  judge(choice);
}

void AnswerCall::filter(size_t choice, engine::Event& event) {
  event.text = filters_[choice].push(event.text, event.finished);
  if (!filters_[choice].blocked()) return;
  event.id = -1;  // neither text nor log-probabilities
  event.top.clear();
  cut_off(choice);
}

// A choice that is cut off goes on unseen until all of its request are; then the engine stops.
void AnswerCall::cut_off(size_t choice) {
  if (outcome_.filtered[choice]) return;
  outcome_.filtered[choice] = true;
  const auto next = std::ranges::upper_bound(first_choice_, choice);
  const size_t end = next == first_choice_.end() ? outcome_.filtered.size() : *next;
  const auto request = static_cast<size_t>(next - first_choice_.begin()) - 1;
  bool all = true;
  for (size_t i = first_choice_[request]; i < end; ++i) all = all && outcome_.filtered[i];
  if (all) services_.engine.cancel(ids_[request]);
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

// In mid-stream an error is an event of its own, and there is no [DONE] behind it.
void AnswerCall::say_error() {
  const ExchangePtr& exchange = call_.exchange;
  if (!streaming_) return refuse(call_, {.error = *error_});
  exchange->write("data: " + error_body({.error = *error_}, exchange->request().id) + "\n\n");
  exchange->end();
}

void AnswerCall::finish(const Status& written) {
  const ExchangePtr& exchange = call_.exchange;
  if (call_.trace) trace();
  observe_seconds("plinth_answer_seconds", watch_.seconds());
  if (told_) return;
  if (!written && !error_) error_ = not_written("the usage ledger", written.error());
  if (error_) return say_error();
  if (!plan_.stream) return exchange->reply({.body = to_text(plan_.format->whole(outcome_))});
  open_stream();
  exchange->write(plan_.format->end(outcome_).append(plan_.format->end_mark()));
  exchange->end();
}

}  // namespace plinth::server
