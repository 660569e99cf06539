// Tenants, deadlines and threads that stand back, in a whole engine.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "core/stand_back.h"
#include "core/threads.h"
#include "engine/test_engine.h"

namespace plinth::engine {
namespace {

// In which order requests end.
struct Order {
  std::mutex mutex;
  std::vector<std::string> ended;

  std::function<void(const Event&)> sink(std::string name) {
    return [this, name = std::move(name)](const Event& event) {
      if (!event.finished) return;
      const std::lock_guard lock(mutex);
      ended.push_back(name);
    };
  }

  size_t size() {
    const std::lock_guard lock(mutex);
    return ended.size();
  }
};

TEST(Sharing, AFloodDoesNotKeepAnotherTenantWaiting) {
  Order order;
  EngineOptions options = kSmall;
  options.sequences_max = 2;
  options.prefix_cache = false;
  const auto engine = start(tiny(), options);
  for (int i = 0; i < 20; ++i) {
    Request request = greedy(prompt(static_cast<uint64_t>(i), 60), 8);
    request.cache_salt = "flood";
    request.sink = order.sink("flood");
    ASSERT_TRUE(engine->submit(std::move(request)));
  }
  Request chat = greedy(prompt(99, 4), 2);
  chat.cache_salt = "chat";
  chat.sink = order.sink("chat");
  ASSERT_TRUE(engine->submit(std::move(chat)));
  ASSERT_TRUE(eventually([&] { return order.size() == 21; }));
  const auto at = std::ranges::find(order.ended, "chat") - order.ended.begin();
  EXPECT_LE(at, 4) << "the last to come was served among the last";
}

// Not its prompts alone: these have all been read when the chat comes.
TEST(Sharing, AFloodsAnswersStandBackForAnotherTenants) {
  constexpr int kMany = 8, kAhead = 600;
  const auto endless = [](uint64_t seed, int64_t tokens) {
    Request request = greedy(prompt(seed, 4), tokens);
    request.sampling.logit_bias = {{tiny()->tokenizer().eos(), -100.0f}};
    return request;
  };
  std::atomic<int> events = 0;
  std::promise<void> ahead, chat_waits;
  Order order;
  Listener chat;
  const auto engine = start(tiny());
  for (int i = 0; i < kMany; ++i) {
    Request request = endless(static_cast<uint64_t>(i), 120);
    request.cache_salt = "flood";
    request.sink = [&, ends = order.sink("flood")](const Event& event) {
      // The engine waits in here until the chat has come.
      if (events.fetch_add(1) + 1 == kAhead) {
        ahead.set_value();
        chat_waits.get_future().wait();
      }
      ends(event);
    };
    ASSERT_TRUE(engine->submit(std::move(request)));
  }
  ahead.get_future().wait();
  EXPECT_EQ(engine->stats().guest_rows, 0);
  Request question = endless(99, 20);
  question.cache_salt = "chat";
  question.sink = chat.sink();
  ASSERT_TRUE(engine->submit(std::move(question)));
  chat_waits.set_value();
  EXPECT_EQ(chat.wait_finished().reason, FinishReason::kLength);
  EXPECT_GT(engine->stats().guest_rows, 0);
  EXPECT_TRUE(eventually([&] { return order.size() == kMany; })) << "the flood's end, too";
}

TEST(Sharing, ATenantsOwnPrioritiesOrderItsQueue) {
  Order order;
  EngineOptions options = kSmall;
  options.sequences_max = 1;
  Listener first;
  const auto engine = start(tiny(), options);
  Request running = greedy(prompt(1, 4), 200);
  running.cache_salt = "a";
  running.sink = first.sink();
  const auto id = engine->submit(std::move(running));
  ASSERT_TRUE(first.wait_for(1));
  for (const int32_t priority : {5, 0, -5}) {
    Request request = greedy(prompt(2, 4), 1);
    request.cache_salt = "a";
    request.priority = priority;
    request.sink = order.sink(std::to_string(priority));
    ASSERT_TRUE(engine->submit(std::move(request)));
  }
  engine->cancel(*id);
  ASSERT_TRUE(eventually([&] { return order.size() == 3; }));
  EXPECT_EQ(order.ended, (std::vector<std::string>{"-5", "0", "5"}));
}

TEST(Sharing, AnAnswerEndsAtItsDeadline) {
  Listener late;
  const auto engine = start(tiny());
  Request request = greedy(prompt(1, 4), 1'000'000);
  request.sampling.logit_bias = {{tiny()->tokenizer().eos(), -100.0f}};
  request.deadline_ms = 1;
  request.sink = late.sink();
  ASSERT_TRUE(engine->submit(std::move(request)));
  const Event end = late.wait_finished();
  // On a fast machine the tiny context may be full before.
  if (end.reason != FinishReason::kLength) {
    EXPECT_EQ(end.reason, FinishReason::kError);
    EXPECT_EQ(end.error.code, Code::kDeadlineExceeded);
  }
  EXPECT_TRUE(eventually([&] {
    const EngineStats stats = engine->stats();
    return stats.kv_blocks_free == stats.kv_blocks && stats.running == 0;
  }));
}

// What steps took is handed out whole, by rows, to those who rode in them.
TEST(Sharing, CoreSecondsAddUpToTheSteps) {
  const auto engine = start(tiny());
  std::vector<Request> requests;
  for (int i = 0; i < 6; ++i)
    requests.push_back(greedy(prompt(static_cast<uint64_t>(i), 10 + 20 * i), 20));
  std::vector<std::shared_ptr<Listener>> listeners;
  for (const Request& request : requests) {
    listeners.push_back(std::make_shared<Listener>());
    Request sent = request;
    sent.sink = listeners.back()->sink();
    ASSERT_TRUE(engine->submit(std::move(sent)));
  }
  double sum = 0;
  for (const auto& listener : listeners) {
    const Usage usage = listener->wait_finished().usage;
    EXPECT_GT(usage.core_s, 0);
    sum += usage.core_s;
  }
  ASSERT_TRUE(engine->generate(greedy(prompt(9, 5), 3)));  // a step is counted with the next one
  const double steps = engine->stats().step_seconds * compute_pool().threads();
  EXPECT_LE(sum, steps * 1.01);
  EXPECT_GE(sum, steps * 0.1) << "the rest is planning, and what follows a last token";
}

TEST(Sharing, AThreadThatStandsBackMovesOnBesideAnEngineUnderLoad) {
  std::atomic<bool> over = false;
  std::atomic<int64_t> rounds = 0;
  std::jthread tuning([&] {
    const StandBack stands_back;
    while (!over) {
      compute_pool().parallel_for(64, 1, [](int64_t, int64_t, int) {});
      ++rounds;
    }
  });
  {
    const auto engine = start(tiny());
    const auto answers = [&](int n) {
      std::vector<Request> requests;
      for (int i = 0; i < n; ++i)
        requests.push_back(greedy(prompt(static_cast<uint64_t>(i), 20), 20));
      return together(*engine, requests);
    };
    const auto first = answers(4);
    const int64_t before = rounds;
    for (int i = 0; i < 1000 && rounds < before + 10; ++i) EXPECT_EQ(answers(4), first);
    EXPECT_GE(rounds, before + 10);
    EXPECT_GT(engine->stats().step_seconds, 0);
  }
  over = true;
}

TEST(Sharing, AnEngineThatRestedLeavesNothingOfItsSteps) {
  std::atomic<bool> over = false;
  std::jthread tuning([&] {
    const StandBack stands_back;
    compute_pool().parallel_for(1 << 20, 1, [&](int64_t, int64_t, int) {
      if (!over) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    });
  });
  while (standing_back() == 0) std::this_thread::yield();
  {
    const auto engine = start(tiny());
    ASSERT_TRUE(engine->generate(greedy(prompt(1, 20), 2)));
    std::this_thread::sleep_for(std::chrono::milliseconds(500));  // what 6 s of steps would owe
    const EngineStats before = engine->stats();
    // Twice what makes a turn.
    while (engine->stats().step_seconds < before.step_seconds + 0.05)
      ASSERT_TRUE(engine->generate(greedy(prompt(1, 20), 20)));
    EXPECT_EQ(engine->stats().seconds_left, before.seconds_left);
  }
  over = true;
}

}  // namespace
}  // namespace plinth::engine
