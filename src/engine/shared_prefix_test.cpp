// Prompts that begin alike and come at once, before anything is cached.
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "core/rng.h"
#include "engine/test_engine.h"

namespace plinth::engine {
namespace {

constexpr int64_t kMany = 8;
constexpr size_t kPrompt = 101;  // of which all but one fill blocks
constexpr int64_t kTokens = 6;

// Bits do not depend on who rides in a step: what differs is wrong.
EngineOptions exact() {
  EngineOptions options = kSmall;
  options.deterministic = true;
  return options;
}

Request endless(std::vector<int32_t> tokens, int64_t tokens_max) {
  Request request = greedy(std::move(tokens), tokens_max);
  request.sampling.logit_bias = {{tiny()->tokenizer().eos(), -100.0f}};
  return request;
}

// Runs while the engine stands in the sink of another answer's first token: whatever it submits
// comes at once.
template <typename Submit>
void at_once(Engine& engine, Listener& gate, Submit submit) {
  Request request = endless({1}, 2);
  const auto tell = gate.sink();
  request.sink = [tell, submit, first = true](const Event& event) mutable {
    if (std::exchange(first, false)) submit();
    tell(event);
  };
  ASSERT_TRUE(engine.submit(std::move(request)));
  gate.wait_finished();
}

// Tokens and the bits of their log-probabilities.
std::vector<std::pair<int32_t, float>> said(const std::vector<Event>& events) {
  std::vector<std::pair<int32_t, float>> said;
  for (const Event& event : events)
    if (event.id >= 0) said.emplace_back(event.id, event.logprob);
  return said;
}

std::vector<std::pair<int32_t, float>> fresh(Request request) {
  EngineOptions options = exact();
  options.prefix_cache = false;
  Listener listener;
  const auto engine = start(tiny(), options);
  request.sink = listener.sink();
  request.n = 1;
  PLINTH_CHECK(engine->submit(request).has_value(), "accepted");
  listener.wait_finished();
  return said(listener.events);
}

// Rows that the gate and the answers' own tokens take: all beyond the prompts.
constexpr int64_t rows_beyond_prompts(int64_t answers) {
  return 2 + answers * (kTokens - 1);
}

int64_t rows_of(const Engine& engine) {
  EXPECT_TRUE(eventually([&] { return engine.stats().running == 0; }));
  return engine.stats().rows;
}

TEST(SharedPrefix, IsComputedOnceForManyAtOnce) {
  Listener gate;
  std::vector<Listener> listeners(kMany);
  const auto engine = start(tiny(), exact());
  const Request request = endless(prompt(5, kPrompt), kTokens);
  at_once(*engine, gate, [&] {
    for (Listener& listener : listeners) {
      Request mine = request;
      mine.sink = listener.sink();
      ASSERT_TRUE(engine->submit(std::move(mine)));
    }
  });
  const auto expected = fresh(request);
  int64_t leaders = 0;
  for (Listener& listener : listeners) {
    const Usage usage = listener.wait_finished().usage;
    EXPECT_EQ(said(listener.events), expected);
    EXPECT_EQ(usage.prompt_tokens, static_cast<int64_t>(kPrompt));
    EXPECT_TRUE(usage.cached_tokens == 0 || usage.cached_tokens == 100) << usage.cached_tokens;
    leaders += usage.cached_tokens == 0 ? 1 : 0;
  }
  EXPECT_EQ(leaders, 1);
  EXPECT_EQ(rows_of(*engine),
            static_cast<int64_t>(kPrompt) + (kMany - 1) + rows_beyond_prompts(kMany));
  EXPECT_EQ(engine->stats().prefix_hits_tokens, 100 * (kMany - 1));
}

// Choices of a request follow with it, and own questions behind the shared part are their own.
TEST(SharedPrefix, OwnQuestionsBehindItAreTheirOwn) {
  Listener gate;
  std::vector<Listener> listeners(kMany);
  std::vector<Request> requests;
  for (uint64_t i = 0; i < kMany; ++i) {
    auto tokens = prompt(5, 70);  // ends inside a block
    const auto own = prompt(100 + i, 10 + i);
    tokens.insert(tokens.end(), own.begin(), own.end());
    requests.push_back(endless(std::move(tokens), kTokens));
  }
  requests.back().n = 2;
  const auto engine = start(tiny(), exact());
  at_once(*engine, gate, [&] {
    for (size_t i = 0; i < kMany; ++i) {
      Request mine = requests[i];
      mine.sink = [tell = listeners[i].sink()](const Event& event) {
        if (event.choice == 0) tell(event);
      };
      ASSERT_TRUE(engine->submit(std::move(mine)));
    }
  });
  int64_t own = 0;
  for (size_t i = 0; i < kMany; ++i) {
    const Usage usage = listeners[i].wait_finished().usage;
    EXPECT_EQ(said(listeners[i].events), fresh(requests[i])) << i;
    EXPECT_EQ(usage.cached_tokens, i == 0 ? 0 : 70) << i;
    own += usage.prompt_tokens - 70;
  }
  EXPECT_EQ(rows_of(*engine), 70 + own + rows_beyond_prompts(kMany + 1));
}

TEST(SharedPrefix, WhoFollowsACancelledOneGoesOnFromWhereItWas) {
  Listener beside;
  std::vector<Listener> listeners(kMany);
  EngineOptions options = exact();
  options.rows_max = 8;
  const auto engine = start(tiny(), options);
  const Request request = endless(prompt(5, kPrompt), kTokens);
  std::vector<RequestId> ids;
  int64_t before = 0;
  Request gate = endless({1}, 100);
  const auto tell = beside.sink();
  // One token a step: the prompts come after the first, and are read in 15 steps.
  gate.sink = [&, tell, tokens = 0](const Event& event) mutable {
    if (++tokens == 1)
      for (Listener& listener : listeners) {
        Request mine = request;
        mine.sink = listener.sink();
        ids.push_back(*engine->submit(std::move(mine)));
      }
    if (tokens == 6) {
      before = engine->stats().rows;
      engine->cancel(ids[0]);
    }
    tell(event);
  };
  ASSERT_TRUE(engine->submit(std::move(gate)));
  EXPECT_EQ(listeners[0].wait_finished().reason, FinishReason::kCancelled);
  EXPECT_TRUE(said(listeners[0].events).empty());
  const auto expected = fresh(request);
  for (size_t i = 1; i < kMany; ++i) {
    listeners[i].wait_finished();
    EXPECT_EQ(said(listeners[i].events), expected) << i;
  }
  beside.wait_finished();
  EXPECT_GT(before, 16) << "some of the prompt had been read";
  EXPECT_LT(before, 70);
  // Less than a block was computed twice.
  const int64_t once =
      static_cast<int64_t>(kPrompt) + (kMany - 2) + 100 + (kMany - 1) * (kTokens - 1);
  EXPECT_GE(rows_of(*engine), once);
  EXPECT_LT(rows_of(*engine), once + options.block_tokens);
}

TEST(SharedPrefix, TenantsAndAdaptersShareNothing) {
  const Adapters adapters{nullptr, random_adapter(tiny_config(), 4, 1, "one"),
                          random_adapter(tiny_config(), 4, 2, "two")};
  Listener gate;
  std::vector<Listener> listeners(6);
  std::vector<Request> requests;
  for (const auto& adapter : adapters)
    for (const char* salt : {"tenant a", "tenant b"}) {
      requests.push_back(endless(prompt(5, kPrompt), kTokens));
      requests.back().adapter = adapter;
      requests.back().cache_salt = salt;
    }
  const auto engine = start(tiny(), exact());
  at_once(*engine, gate, [&] {
    for (size_t i = 0; i < requests.size(); ++i) {
      Request mine = requests[i];
      mine.sink = listeners[i].sink();
      ASSERT_TRUE(engine->submit(std::move(mine)));
    }
  });
  for (size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(listeners[i].wait_finished().usage.cached_tokens, 0);
    EXPECT_EQ(said(listeners[i].events), fresh(requests[i])) << i;
  }
  EXPECT_EQ(rows_of(*engine), 6 * static_cast<int64_t>(kPrompt) + rows_beyond_prompts(6));
  EXPECT_EQ(engine->stats().prefix_hits_tokens, 0);
}

// A pool that holds one prompt and a half: whoever leads may be preempted, whoever follows finds
// blocks that are gone a moment later.
TEST(SharedPrefix, HoldsUnderPreemptionAndCancelling) {
  EngineOptions options = exact();
  options.kv_bytes = 32 * 2 * 2 * 2 * 8 * 4 * 4;  // 32 blocks of 4 tokens
  int64_t preemptions = 0;
  for (uint64_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    options.rows_max = static_cast<int64_t>(4 + rng.below(29));
    std::vector<Listener> listeners(12);
    std::vector<Request> requests;
    for (size_t i = 0; i < listeners.size(); ++i) {
      auto tokens = prompt(seed, 20 + 10 * rng.below(4));
      const auto own = prompt(1000 + rng.below(6), rng.below(30));
      tokens.insert(tokens.end(), own.begin(), own.end());
      requests.push_back(endless(std::move(tokens), static_cast<int64_t>(1 + rng.below(40))));
      requests.back().cache_salt = rng.below(4) == 0 ? "b" : "a";
      requests.back().priority = static_cast<int32_t>(rng.below(2));
    }
    const auto engine = start(tiny(), options);
    std::vector<RequestId> ids;
    for (size_t i = 0; i < requests.size(); ++i) {
      Request mine = requests[i];
      mine.sink = listeners[i].sink();
      ids.push_back(*engine->submit(std::move(mine)));
    }
    std::set<size_t> cancelled;
    for (int i = 0; i < 3; ++i) {
      const size_t which = rng.below(ids.size());
      cancelled.insert(which);
      engine->cancel(ids[which]);
    }
    for (size_t i = 0; i < requests.size(); ++i) {
      const Event& last = listeners[i].wait_finished();
      EXPECT_LT(last.usage.cached_tokens, last.usage.prompt_tokens);
      if (!cancelled.contains(i)) {
        EXPECT_EQ(said(listeners[i].events), fresh(requests[i])) << i;
      }
    }
    EXPECT_TRUE(eventually([&] { return engine->stats().kv_blocks_free == 32; }));
    preemptions += engine->stats().preemptions;
  }
  EXPECT_GT(preemptions, 0);
}

}  // namespace
}  // namespace plinth::engine
