#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "core/interrupt.h"
#include "eval/characters.h"
#include "eval/tasks.h"

namespace plinth::eval {
namespace {

constexpr int64_t kAtOnce = 64;  // requests in flight: enough to fill every step, few for the queue

// Answers on their way. The sinks share it: they may outlive the caller when it gives up early.
struct Flight {
  std::mutex mutex;
  std::condition_variable changed;
  int64_t flying = 0;
  int64_t landed = 0;
  std::vector<size_t> fresh;  // items that landed since somebody looked
  std::vector<std::string> answers;
  std::optional<Error> error;
};

std::function<void(const engine::Event&)> sink_of(const std::shared_ptr<Flight>& flight,
                                                  size_t item) {
  return [flight, item](const engine::Event& event) {
    const std::lock_guard lock(flight->mutex);
    flight->answers[item] += event.text;
    if (!event.finished) return;
    --flight->flying;
    ++flight->landed;
    if (event.reason == engine::FinishReason::kError)
      flight->error = event.error;
    else if (event.reason == engine::FinishReason::kCancelled)
      flight->error = Error{Code::kCancelled, "the engine cancelled the answer"};
    else
      flight->fresh.push_back(item);
    flight->changed.notify_all();
  };
}

ItemResult judge_item(const Item& item, std::string answer) {
  ItemResult result{.id = item.id, .kind = SuiteKind::kShort};
  const std::u32string given = normalised(answer);
  for (const auto& accepted : item.answers) {
    const std::u32string wanted = normalised(accepted);
    if (given == wanted) result.score = 1;
    if (given == wanted || states(answer, accepted)) result.contains = 1;
    result.f1 = std::max(result.f1, character_f1(given, wanted));
  }
  result.prediction = std::move(answer);
  return result;
}

// Hands one request over, waiting while the engine's queue is full of others' work.
Result<engine::RequestId> submit_patiently(engine::Engine& engine, const engine::Request& request,
                                           Flight& flight) {
  for (;;) {
    auto id = engine.submit(request);
    if (id || id.error().code != Code::kResourceExhausted) return id;
    PLINTH_TRY(check_interrupted());
    std::unique_lock lock(flight.mutex);
    flight.changed.wait_for(lock, std::chrono::milliseconds(20));
  }
}

}  // namespace

Result<std::vector<ItemResult>> run_short(const TaskContext& context) {
  const auto& items = context.suite.items;
  const auto flight = std::make_shared<Flight>();
  flight->answers.resize(items.size());
  std::vector<ItemResult> results(items.size());
  std::vector<engine::RequestId> ids;
  int64_t reported = 0;

  // Judges what has landed.
  const auto settle = [&](const std::vector<size_t>& landed) -> Status {
    std::vector<ItemResult> judged;
    for (const size_t i : landed) {
      results[i] = judge_item(items[i], std::move(flight->answers[i]));
      judged.push_back(results[i]);
    }
    if (judged.empty()) return {};
    return context.keep(judged);
  };
  // Reports and keeps outside the lock, so that the engine thread never waits for a terminal or a
  // disk.
  const auto wait_until_flying = [&](int64_t at_most) -> Status {
    for (;;) {
      PLINTH_TRY(check_interrupted());
      std::unique_lock lock(flight->mutex);
      flight->changed.wait_for(lock, std::chrono::milliseconds(200),
                               [&] { return flight->flying <= at_most || flight->error; });
      if (flight->error) return *flight->error;
      const int64_t landed = flight->landed;
      const auto fresh = std::exchange(flight->fresh, {});
      const bool done = flight->flying <= at_most;
      lock.unlock();
      PLINTH_TRY(settle(fresh));
      if (landed != reported && context.options.progress)
        context.options.progress(landed, std::ssize(items));
      reported = landed;
      if (done) return {};
    }
  };

  const auto fly = [&]() -> Status {
    for (size_t i = 0; i < items.size(); ++i) {
      PLINTH_TRY(wait_until_flying(kAtOnce - 1));
      const auto named = [&](const Error& error) {
        return Error{error.code,
                     fmt::format("{} item {}: {}", context.suite.name, items[i].id, error.message)};
      };
      auto prompt = context.options.prompt(items[i].question);
      if (!prompt) return named(prompt.error());
      engine::Request request;
      request.prompt = *std::move(prompt);
      request.adapter = context.adapter;
      request.sampling.temperature = 0;
      request.tokens_max = context.options.answer_tokens_max;
      request.stop = context.options.stop;
      request.stop_tokens = context.options.stop_tokens;
      request.sink = sink_of(flight, i);
      {
        const std::lock_guard lock(flight->mutex);
        ++flight->flying;
      }
      const auto id = submit_patiently(context.engine, request, *flight);
      if (!id) return named(id.error());
      ids.push_back(*id);
    }
    return wait_until_flying(0);
  };

  if (Status flown = fly(); !flown) {
    for (const auto id : ids) context.engine.cancel(id);
    return flown.error();
  }
  return results;
}

}  // namespace plinth::eval
