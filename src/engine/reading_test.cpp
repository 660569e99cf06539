#include <cmath>

#include <gtest/gtest.h>

#include "engine/test_engine.h"

namespace plinth::engine {
namespace {

Result<Reading> read(Engine& engine, ReadRequest request) {
  // Shared: the engine may still be in its last lines when the waiter wakes.
  auto promise = std::make_shared<std::promise<Result<Reading>>>();
  auto future = promise->get_future();
  request.done = [promise](Result<Reading> reading) { promise->set_value(std::move(reading)); };
  const auto id = engine.read(std::move(request));
  if (!id) return id.error();
  return future.get();
}

TEST(Reading, LogprobsAreTheScoresAndTheTopIsWhatGreedyTakes) {
  const auto engine = start(tiny());
  const auto tokens = prompt(3, 50);  // more than the rows of a step
  const auto scores = engine->score({{.tokens = tokens}});
  const auto reading = read(*engine, {.tokens = tokens, .top_logprobs = 3});
  ASSERT_TRUE(reading) << reading.error().message;
  ASSERT_EQ(reading->logprobs.size(), 49u);
  ASSERT_EQ(reading->top.size(), 49u);
  for (size_t i = 0; i < 49; ++i) {
    EXPECT_NEAR(reading->logprobs[i], (*scores)[0][i], 1e-4);
    ASSERT_EQ(reading->top[i].size(), 3u);
    EXPECT_GE(reading->top[i][0].second, reading->top[i][1].second);
    for (const auto& [id, logprob] : reading->top[i]) {
      if (id == tokens[i + 1]) {
        EXPECT_EQ(logprob, reading->logprobs[i]);
      }
    }
  }
}

TEST(Reading, PoolingDependsOnTheTextAloneNotOnTheBatch) {
  const auto engine = start(tiny());
  const auto alone = read(*engine, {.tokens = prompt(1, 70), .pooled = true});
  ASSERT_TRUE(alone) << alone.error().message;
  ASSERT_EQ(std::ssize(alone->pooled), tiny()->config().width);
  EXPECT_TRUE(alone->logprobs.empty());
  Listener listener;
  Request beside = greedy(prompt(9, 20), 60);
  beside.sink = listener.sink();
  ASSERT_TRUE(engine->submit(std::move(beside)));
  const auto together = read(*engine, {.tokens = prompt(1, 70), .pooled = true});
  const auto other = read(*engine, {.tokens = prompt(2, 70), .pooled = true});
  listener.wait_finished();
  double difference = 0;
  for (size_t i = 0; i < alone->pooled.size(); ++i) {
    EXPECT_NEAR(alone->pooled[i], together->pooled[i], 1e-4);
    difference += std::abs(alone->pooled[i] - other->pooled[i]);
  }
  EXPECT_GT(difference, 0.1);
}

TEST(Reading, RefusesWhatItCannotRead) {
  const auto engine = start(tiny());
  EXPECT_EQ(read(*engine, {.pooled = true}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(read(*engine, {.tokens = {1}}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(read(*engine, {.tokens = {1, 2}, .top_logprobs = 21}).error().code,
            Code::kInvalidArgument);
  EXPECT_EQ(read(*engine, {.tokens = {1, 1 << 30}}).error().code, Code::kInvalidArgument);
}

TEST(Reading, EndsWithTheEngine) {
  std::promise<Result<Reading>> promise;
  auto future = promise.get_future();
  {
    const auto engine = start(tiny());
    ASSERT_TRUE(engine->read(
        {.tokens = prompt(1, 60), .pooled = true, .done = [&](Result<Reading> reading) {
           promise.set_value(std::move(reading));
         }}));
  }
  const auto reading = future.get();  // finished or cancelled, but told
  if (!reading) {
    EXPECT_EQ(reading.error().code, Code::kCancelled);
  }
}

}  // namespace
}  // namespace plinth::engine
