// A small engine and what tests ask of it.
#pragma once

#include <chrono>
#include <cmath>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/check.h"
#include "engine/engine.h"
#include "engine/test_model.h"

namespace plinth::engine {

// Only a hang lasts so long, also on a busy machine under an emulator.
inline constexpr std::chrono::seconds kPatience{600};

using Adapters = std::vector<std::shared_ptr<const model::Adapter>>;

// Exact keys and values: what differs then is a mistake and not a rounding.
inline const EngineOptions kSmall{
    .kv_bytes = 1 << 20, .block_tokens = 4, .kv_type = tensor::KvType::kF32, .rows_max = 32};

inline std::unique_ptr<Engine> start(const std::shared_ptr<const model::Model>& model,
                                     const EngineOptions& options = kSmall) {
  auto engine = Engine::start(model, options);
  PLINTH_CHECK(engine.has_value(), "{}", engine.error().message);
  return *std::move(engine);
}

inline std::shared_ptr<const model::Model> tiny() {
  static const auto model = random_model(tiny_config(), 1, 0.7);
  return model;
}

inline std::vector<int32_t> prompt(uint64_t seed, size_t n) {
  Rng rng(seed);
  std::vector<int32_t> tokens(n);
  for (int32_t& token : tokens) token = static_cast<int32_t>(rng.below(256));
  return tokens;
}

inline Request greedy(std::vector<int32_t> tokens, int64_t tokens_max) {
  return {.prompt = std::move(tokens), .sampling = {.temperature = 0}, .tokens_max = tokens_max};
}

// Collects a request's events; done when the finished one came. Declared before the engine, whose
// last act is to tell the sinks.
struct Listener {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Event> events;

  std::function<void(const Event&)> sink() {
    return [this](const Event& event) {
      const std::lock_guard lock(mutex);
      events.push_back(event);
      changed.notify_all();
    };
  }

  bool wait_for(size_t count) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, kPatience, [&] {
      return events.size() >= count || (!events.empty() && events.back().finished);
    });
  }

  const Event& wait_finished() {
    std::unique_lock lock(mutex);
    PLINTH_CHECK(changed.wait_for(lock, kPatience,
                                  [&] { return !events.empty() && events.back().finished; }),
                 "the request did not finish");
    return events.back();
  }
};

inline bool eventually(const std::function<bool()>& fact) {
  constexpr std::chrono::milliseconds kPause{10};
  for (auto waited = kPause; waited < kPatience; waited += kPause) {
    if (fact()) return true;
    std::this_thread::sleep_for(kPause);
  }
  return false;
}

inline double worst_difference(std::span<const float> a, std::span<const float> b) {
  PLINTH_CHECK(a.size() == b.size(), "{} and {} values", a.size(), b.size());
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(a[i]) - b[i]));
  return worst;
}

// All at once; answers in order.
inline std::vector<std::vector<int32_t>> together(Engine& engine,
                                                  const std::vector<Request>& requests) {
  std::vector<std::future<std::vector<int32_t>>> answers;
  for (const Request& request : requests)
    answers.push_back(std::async(std::launch::async, [&engine, request] {
      auto answer = engine.generate(request);
      PLINTH_CHECK(answer.has_value(), "{}", answer.error().message);
      return answer->ids;
    }));
  std::vector<std::vector<int32_t>> ids;
  for (auto& answer : answers) ids.push_back(answer.get());
  return ids;
}

// What opens a registered adapter.
inline AdapterSourcePtr registered(Engine& engine, const std::string& name,
                                   const std::shared_ptr<const model::Adapter>& adapter) {
  return *engine.adapters().add({name, adapter->digest, [adapter] {
                                   return Result<std::shared_ptr<const model::Adapter>>(adapter);
                                 }});
}

}  // namespace plinth::engine
