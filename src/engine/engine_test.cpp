#include "engine/engine.h"

#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

#include "engine/test_engine.h"
#include "model/adapter_math.h"

namespace plinth::engine {
namespace {

using namespace std::chrono_literals;

TEST(Engine, BatchedGivesTheSameTokensAsAlone) {
  EngineOptions options = kSmall;
  options.prefix_cache = false;
  const auto engine = start(tiny(), options);
  std::vector<Request> requests;
  std::vector<std::vector<int32_t>> alone;
  for (uint64_t i = 0; i < 12; ++i) {
    requests.push_back(greedy(prompt(i, 1 + 5 * i), 20));
    if (i % 3 == 0) requests.back().sampling = {.temperature = 0.8f, .top_p = 0.9f, .seed = i};
    alone.push_back(engine->generate(requests.back())->ids);
  }
  EXPECT_EQ(together(*engine, requests), alone);
}

TEST(Engine, ChunkedPrefillGivesTheSameLogitsAsWhole) {
  const auto tokens = prompt(3, 100);
  EngineOptions whole = kSmall;
  whole.rows_max = 128;
  EngineOptions chunked = kSmall;
  chunked.rows_max = 7;
  const auto a = start(tiny(), whole)->logits(tokens, nullptr);
  const auto b = start(tiny(), chunked)->logits(tokens, nullptr);
  ASSERT_EQ(a->size(), 100u * 257u);
  EXPECT_LT(worst_difference(*a, *b), 1e-4);  // logits of some 20: 1e-5 relative
}

TEST(Engine, LogitsInABusyBatchAreThoseOfAQuietOne) {
  const auto tokens = prompt(3, 60);
  std::vector<Listener> listeners(6);
  const auto engine = start(tiny());
  const auto quiet = engine->logits(tokens, nullptr);
  for (size_t i = 0; i < listeners.size(); ++i) {
    Request request = greedy(prompt(i, 30), 60);
    request.sink = listeners[i].sink();
    ASSERT_TRUE(engine->submit(request));
  }
  const auto busy = engine->logits(tokens, nullptr);
  EXPECT_LT(worst_difference(*quiet, *busy), 1e-4);
  for (auto& listener : listeners) listener.wait_finished();
}

TEST(Engine, CachedPrefixGivesTheSameAnswerAsFresh) {
  EngineOptions fresh = kSmall;
  fresh.prefix_cache = false;
  const auto request = greedy(prompt(5, 41), 16);
  const auto expected = start(tiny(), fresh)->generate(request);
  const auto engine = start(tiny());
  const auto first = engine->generate(request);
  const auto second = engine->generate(request);
  EXPECT_EQ(first->ids, expected->ids);
  EXPECT_EQ(second->ids, expected->ids);
  EXPECT_EQ(first->usage.cached_tokens, 0);
  EXPECT_EQ(second->usage.cached_tokens, 40);
  EXPECT_EQ(second->usage.prompt_tokens, 41);
  EXPECT_EQ(engine->stats().prefix_hits_tokens, 40);
}

// Steps of fewer than 32 rows, whose linear layers all take the same kernel: a key that differed in
// its last bit could be rounded to another step of its type.
TEST(Engine, TheEqualitiesHoldForEveryTypeOfTheCache) {
  const auto tokens = prompt(3, 100);
  const auto exact = start(tiny())->logits(tokens, nullptr);
  for (const auto& [type, rounding] : {std::pair{tensor::KvType::kF32, 1e-4},
                                       {tensor::KvType::kF16, 0.2},
                                       {tensor::KvType::kQ8, 2.0}}) {  // logits of some 20
    SCOPED_TRACE(tensor::kv_type_name(type));
    EngineOptions options = kSmall;
    options.kv_type = type;
    options.rows_max = 31;
    const auto whole = start(tiny(), options);
    const auto fresh = whole->logits(tokens, nullptr);
    EXPECT_LT(worst_difference(*fresh, *exact), rounding);
    options.rows_max = 7;
    const auto chunked = start(tiny(), options);
    EXPECT_LT(worst_difference(*chunked->logits(tokens, nullptr), *fresh), 1e-4);

    std::vector<Request> requests;
    std::vector<std::vector<int32_t>> alone;
    for (uint64_t i = 0; i < 6; ++i) {
      requests.push_back(greedy(prompt(i, 9 + 5 * i), 12));
      alone.push_back(whole->generate(requests.back())->ids);
    }
    EXPECT_EQ(together(*whole, requests), alone) << "batched, with cached prefixes";
    EXPECT_GT(whole->stats().prefix_hits_tokens, 0);
    EXPECT_EQ(together(*chunked, requests), alone) << "chunked";
  }
}

TEST(Engine, AnAnswerIsAPrefixOfTheNextTurn) {
  const auto engine = start(tiny());
  auto tokens = prompt(5, 10);
  const auto first = engine->generate(greedy(tokens, 15));
  tokens.insert(tokens.end(), first->ids.begin(), first->ids.end());
  tokens.push_back(7);
  const auto second = engine->generate(greedy(tokens, 4));
  EXPECT_EQ(second->usage.cached_tokens, 24);
}

TEST(Engine, PrefixesAreNeverSharedAcrossAdaptersOrSalts) {
  const Adapters adapters{nullptr, random_adapter(tiny_config(), 4, 1, "one"),
                          random_adapter(tiny_config(), 4, 2, "two")};
  const auto engine = start(tiny());
  for (const auto& adapter : adapters)
    for (const char* salt : {"", "tenant a", "tenant b"}) {
      Request request = greedy(prompt(5, 41), 8);
      request.adapter = adapter;
      request.cache_salt = salt;
      const auto first = engine->generate(request);
      EXPECT_EQ(first->usage.cached_tokens, 0);
      const auto second = engine->generate(request);
      EXPECT_EQ(second->usage.cached_tokens, 40);
      EXPECT_EQ(second->ids, first->ids);
    }
}

TEST(Engine, AnAdapterWithoutADigestIsNotCached) {
  Request request = greedy(prompt(5, 41), 8);
  request.adapter = random_adapter(tiny_config(), 4, 1, "");
  const auto engine = start(tiny());
  EXPECT_EQ(engine->generate(request)->usage.cached_tokens, 0);
  EXPECT_EQ(engine->generate(request)->usage.cached_tokens, 0);
}

TEST(Engine, AdapterInAMixedBatchEqualsMergedWeights) {
  const Adapters adapters{nullptr, random_adapter(tiny_config(), 4, 1, "one"),
                          random_adapter(tiny_config(), 8, 2, "two"),
                          random_adapter(tiny_config(), 1, 3, "three")};
  const auto mixed = start(tiny());
  std::vector<std::vector<float>> together(adapters.size());
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < adapters.size(); ++i)
      threads.emplace_back([&, i] { together[i] = *mixed->logits(prompt(9, 50), adapters[i]); });
  }
  for (size_t i = 1; i < adapters.size(); ++i) {
    const auto merged = start(merged_model(tiny(), *adapters[i]));
    const auto expected = merged->logits(prompt(9, 50), nullptr);
    EXPECT_LT(worst_difference(together[i], *expected), 1e-3) << i;  // logits of some 20
    EXPECT_GT(worst_difference(together[0], *expected), 0.1) << "the adapter does something";
  }
}

// Some adapters change the tables, others one of them or none, in one batch, also with more rows
// than the head takes at once.
TEST(Engine, DeltasOfTheTablesInAMixedBatchEqualMergedWeights) {
  auto only_head = *random_adapter(tiny_config(), 8, 4, "head", /*tables=*/true);
  only_head.embedding = {};
  auto only_embedding = *random_adapter(tiny_config(), 3, 5, "embedding", /*tables=*/true);
  only_embedding.head = {};
  const Adapters adapters{nullptr, random_adapter(tiny_config(), 4, 1, "none"),
                          random_adapter(tiny_config(), 4, 2, "both", /*tables=*/true),
                          std::make_shared<const model::Adapter>(only_head),
                          std::make_shared<const model::Adapter>(only_embedding)};
  const auto mixed = start(tiny());
  std::vector<std::vector<float>> together(adapters.size());
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < adapters.size(); ++i)
      threads.emplace_back([&, i] { together[i] = *mixed->logits(prompt(9, 70), adapters[i]); });
  }
  for (size_t i = 1; i < adapters.size(); ++i) {
    const auto whole = model::merged(tiny(), *adapters[i]);
    ASSERT_TRUE(whole) << whole.error().message;
    const auto expected = start(*whole)->logits(prompt(9, 70), nullptr);
    EXPECT_LT(worst_difference(together[i], *expected), 1e-3) << adapters[i]->name;
    EXPECT_GT(worst_difference(together[0], *expected), 0.1) << "the adapter does something";
    // Kept by the pool, as adapters of a server are: interleaved.
    const auto kept = model::interleaved(*adapters[i], *tiny(), tensor::default_ops());
    ASSERT_TRUE(kept) << kept.error().message;
    EXPECT_LT(worst_difference(*mixed->logits(prompt(9, 70), *kept), *expected), 1e-3)
        << adapters[i]->name;
  }
}

TEST(Engine, PreemptionUnderATinyPoolGivesTheSameTokens) {
  EngineOptions roomy = kSmall;
  roomy.prefix_cache = false;
  EngineOptions tight = kSmall;
  tight.kv_bytes = 24 * 2 * 2 * 2 * 8 * 4 * 4;  // 24 blocks of 4 tokens
  for (const bool cache : {false, true}) {
    tight.prefix_cache = cache;
    std::vector<Request> requests;
    for (uint64_t i = 0; i < 6; ++i) requests.push_back(greedy(prompt(i, 10 + i), 60));
    const auto expected = together(*start(tiny(), roomy), requests);
    const auto engine = start(tiny(), tight);
    EXPECT_EQ(engine->stats().kv_blocks, 24);
    EXPECT_EQ(together(*engine, requests), expected);
    EXPECT_GT(engine->stats().preemptions, 0);
    EXPECT_TRUE(eventually([&] { return engine->stats().kv_blocks_free == 24; }));
  }
}

TEST(Engine, CancelEndsTheSequenceAndFreesItsBlocks) {
  Listener listener;
  const auto engine = start(tiny());
  const int64_t blocks = engine->stats().kv_blocks;
  Request request = greedy(prompt(2, 20), 100);
  request.sampling.logit_bias = {{256, -100.0f}};
  request.sink = listener.sink();
  const auto id = engine->submit(request);
  ASSERT_TRUE(id);
  ASSERT_TRUE(listener.wait_for(3));
  engine->cancel(*id);
  engine->cancel(*id + 1000);
  const Event& last = listener.wait_finished();
  if (last.usage.completion_tokens < 100) {
    EXPECT_EQ(last.reason, FinishReason::kCancelled);
  }
  EXPECT_EQ(last.usage.prompt_tokens, 20);
  EXPECT_TRUE(eventually(
      [&] { return engine->stats().kv_blocks_free == blocks && engine->stats().running == 0; }));
}

TEST(Engine, StopStringsEndTheAnswerAndNeverLeak) {
  Listener listener;
  const auto engine = start(tiny());
  const auto free_answer = engine->generate(greedy(prompt(4, 12), 40));
  const std::string& text = free_answer->text;
  ASSERT_GT(text.size(), 12u);
  const std::string stop = text.substr(6, 3);
  Request request = greedy(prompt(4, 12), 40);
  request.stop = {stop, "never there"};
  request.sink = listener.sink();
  ASSERT_TRUE(engine->submit(request));
  const Event& last = listener.wait_finished();
  EXPECT_EQ(last.reason, FinishReason::kStop);
  std::string shown;
  for (const Event& event : listener.events) shown += event.text;
  EXPECT_EQ(shown, text.substr(0, text.find(stop)));
}

TEST(Engine, StopTokensEndTheAnswer) {
  const auto engine = start(tiny());
  const auto all = engine->generate(greedy(prompt(4, 12), 20));
  Request request = greedy(prompt(4, 12), 20);
  request.stop_tokens = {all->ids[5]};
  const auto answer = engine->generate(request);
  EXPECT_EQ(answer->reason, FinishReason::kStop);
  const auto first = std::ranges::find(all->ids, all->ids[5]) - all->ids.begin();
  EXPECT_EQ(std::ssize(answer->ids), first + 1);
  EXPECT_EQ(answer->usage.completion_tokens, first + 1);
}

TEST(Engine, AnswersStopAtTheirLengthAndAtTheContext) {
  const auto engine = start(tiny());
  Request request = greedy(prompt(4, 12), 7);
  request.sampling.logit_bias = {{256, -100.0f}};
  const auto short_answer = engine->generate(request);
  EXPECT_EQ(short_answer->reason, FinishReason::kLength);
  EXPECT_EQ(short_answer->ids.size(), 7u);
  request.prompt = prompt(4, 120);
  request.tokens_max = 1000;
  EXPECT_EQ(engine->generate(request)->ids.size(), 8u);
  request.prompt = prompt(4, 128);
  EXPECT_EQ(engine->generate(request)->ids.size(), 1u);
}

TEST(Engine, ScoresAreTheLogProbabilitiesOfTheLogits) {
  const auto engine = start(tiny());
  const auto adapter = random_adapter(tiny_config(), 4, 1, "one");
  std::vector<ScoreRequest> requests;
  for (uint64_t i = 0; i < 20; ++i)
    requests.push_back({.tokens = prompt(i / 2, 3 + 5 * (i / 2)),
                        .first_scored = static_cast<int64_t>(i % 3 + 1),
                        .adapter = i % 2 == 0 ? nullptr : adapter});
  const auto scores = engine->score(requests);
  ASSERT_TRUE(scores);
  for (size_t i = 0; i < requests.size(); ++i) {
    const auto& request = requests[i];
    const auto logits = engine->logits(request.tokens, request.adapter);
    ASSERT_EQ(std::ssize((*scores)[i]), std::ssize(request.tokens) - request.first_scored);
    for (size_t n = 0; n < (*scores)[i].size(); ++n) {
      const size_t position = static_cast<size_t>(request.first_scored) + n;
      const std::span<const float> row(logits->data() + (position - 1) * 257, 257);
      double total = 0;
      for (const float logit : row) total += std::exp(static_cast<double>(logit));
      const auto target = static_cast<size_t>(request.tokens[position]);
      EXPECT_NEAR((*scores)[i][n], row[target] - std::log(total), 2e-4);
    }
  }
}

TEST(Engine, EventsCarryTheLogProbabilityThatScoringGives) {
  Listener listener;
  const auto engine = start(tiny());
  Request request = greedy(prompt(8, 9), 10);
  request.sampling.top_logprobs = 3;
  request.sink = listener.sink();
  ASSERT_TRUE(engine->submit(request));
  listener.wait_finished();
  auto tokens = prompt(8, 9);
  for (const Event& event : listener.events) tokens.push_back(event.id);
  const auto scores = engine->score({{.tokens = tokens, .first_scored = 9}});
  for (size_t i = 0; i < listener.events.size(); ++i) {
    const Event& event = listener.events[i];
    EXPECT_NEAR(event.logprob, (*scores)[0][i], 2e-4);
    ASSERT_EQ(event.top.size(), 3u);
    EXPECT_EQ(event.top[0].first, event.id);
  }
}

TEST(Engine, RefusesWhatDoesNotFitWithNumbers) {
  const auto engine = start(tiny());
  const auto refuse = [&](const Request& request) {
    const auto answer = engine->generate(request);
    return answer ? std::string("accepted") : answer.error().message;
  };
  EXPECT_EQ(refuse(greedy({}, 5)), "the prompt has no tokens");
  EXPECT_EQ(refuse(greedy({1, 257}, 5)), "token 257 at position 1 is outside 0..256");
  EXPECT_EQ(refuse(greedy({-1}, 5)), "token -1 at position 0 is outside 0..256");
  EXPECT_EQ(refuse(greedy(prompt(1, 129), 5)),
            "129 tokens do not fit: the context holds 128, the KV cache 4096");
  EXPECT_EQ(refuse(greedy({1}, 0)), "tokens_max 0 is less than 1");
  Request bias = greedy({1}, 1);
  bias.sampling.logit_bias = {{257, 1.0f}};
  EXPECT_EQ(refuse(bias), "logit_bias token 257 is outside 0..256");
  const auto score = engine->score({{.tokens = {1, 2}, .first_scored = 0}});
  EXPECT_EQ(score.error().message, "first_scored 0 is outside 1..2");
  EXPECT_EQ(engine->score({})->size(), 0u);
  EXPECT_EQ((*engine->score({{.tokens = {1}, .first_scored = 1}}))[0].size(), 0u);
}

TEST(Engine, AFullQueueSaysSo) {
  EngineOptions options = kSmall;
  options.sequences_max = 1;
  options.queue_max = 2;
  std::vector<Listener> listeners(50);
  const auto engine = start(tiny(), options);
  int accepted = 0;
  int refused = 0;
  for (auto& listener : listeners) {
    Request request = greedy(prompt(1, 20), 100);
    request.sink = listener.sink();
    const auto id = engine->submit(request);
    if (id) {
      ++accepted;
    } else {
      ++refused;
      EXPECT_EQ(id.error().code, Code::kResourceExhausted);
    }
  }
  EXPECT_GE(accepted, 2);
  EXPECT_GT(refused, 0);
  int finished = 0;
  EXPECT_TRUE(eventually([&] {
    finished = 0;
    for (auto& listener : listeners) {
      const std::lock_guard lock(listener.mutex);
      finished += !listener.events.empty() && listener.events.back().finished ? 1 : 0;
    }
    return finished == accepted;
  }));
}

TEST(Engine, ShortRequestsPassALongPrompt) {
  model::ModelConfig config = tiny_config();
  config.context = 4096;
  EngineOptions options = kSmall;
  options.kv_bytes = 16 << 20;
  Listener long_prompt;
  Listener short_prompt;
  const auto engine = start(random_model(config, 1), options);
  Request request = greedy(prompt(1, 4000), 1);
  request.sink = long_prompt.sink();
  ASSERT_TRUE(engine->submit(request));
  request = greedy(prompt(2, 10), 3);
  request.sink = short_prompt.sink();
  ASSERT_TRUE(engine->submit(request));
  short_prompt.wait_finished();
  const std::lock_guard lock(long_prompt.mutex);
  EXPECT_TRUE(long_prompt.events.empty());
}

TEST(Engine, EndsCleanlyWithWorkInFlight) {
  std::vector<Listener> listeners(20);
  {
    const auto engine = start(tiny());
    for (auto& listener : listeners) {
      Request request = greedy(prompt(1, 20), 100);
      request.sink = listener.sink();
      ASSERT_TRUE(engine->submit(request));
    }
  }
  for (auto& listener : listeners) {
    ASSERT_FALSE(listener.events.empty());
    EXPECT_TRUE(listener.events.back().finished);
  }
}

TEST(Engine, ManyThreadsAtOnce) {
  const auto engine = start(tiny());
  const auto adapter = random_adapter(tiny_config(), 4, 1, "one");
  std::vector<std::jthread> threads;
  std::atomic<int> failures = 0;
  for (uint64_t t = 0; t < 6; ++t)
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < 5; ++i) {
        Request request = greedy(prompt(t * 100 + i, 5 + t), 10);
        if (i % 2 == 1) request.adapter = adapter;
        if (!engine->generate(request)) ++failures;
        if (!engine->score({{.tokens = prompt(i, 12), .first_scored = 2}})) ++failures;
        Listener listener;
        request.sink = listener.sink();
        const auto id = engine->submit(request);
        if (id) {
          engine->cancel(*id);
          listener.wait_finished();
        }
        engine->stats();
      }
    });
  threads.clear();
  EXPECT_EQ(failures, 0);
  EXPECT_TRUE(
      eventually([&] { return engine->stats().kv_blocks_free == engine->stats().kv_blocks; }));
}

TEST(Engine, RegisteredAdaptersAnswerLikeThoseAtHandUnderATinyBudget) {
  EngineOptions options = kSmall;
  const auto kept =
      model::interleaved(*random_adapter(tiny_config(), 4, 1, ""), *tiny(), tensor::default_ops());
  options.adapter_bytes = 2 * adapter_bytes(**kept);
  const auto engine = start(tiny(), options);
  std::vector<Request> at_hand;
  std::vector<Request> pooled;
  for (uint64_t i = 0; i < 12; ++i) {
    at_hand.push_back(greedy(prompt(i, 10), 12));
    pooled.push_back(at_hand.back());
    const auto adapter = random_adapter(tiny_config(), 4, i / 2, fmt::format("digest {}", i / 2));
    at_hand.back().adapter = adapter;
    pooled.back().registered = registered(*engine, fmt::format("a{}", i / 2), adapter);
  }
  const auto expected = together(*start(tiny()), at_hand);
  for (int round = 0; round < 3; ++round) EXPECT_EQ(together(*engine, pooled), expected);
  const auto stats = engine->stats().adapters;
  EXPECT_EQ(stats.registered, 6);
  EXPECT_GT(stats.evictions, 0);
  EXPECT_LE(stats.resident_bytes, options.adapter_bytes);
}

TEST(Engine, OthersGoOnWhileAnAdapterLoadsAndItsRequestCanBeCancelled) {
  Listener waiting;
  Listener given_up;
  std::promise<void> go;
  const auto engine = start(tiny());
  const auto adapter = random_adapter(tiny_config(), 4, 1, "slow");
  const auto slow = *engine->adapters().add(
      {"slow", "slow", [&]() -> Result<std::shared_ptr<const model::Adapter>> {
         go.get_future().wait();
         return adapter;
       }});
  Request request = greedy(prompt(1, 20), 5);
  request.registered = slow;
  request.sink = given_up.sink();
  const auto id = engine->submit(request);
  request.sink = waiting.sink();
  ASSERT_TRUE(engine->submit(request));
  EXPECT_TRUE(engine->generate(greedy(prompt(2, 20), 5)));
  engine->cancel(*id);
  EXPECT_EQ(given_up.wait_finished().reason, FinishReason::kCancelled);
  EXPECT_TRUE(eventually([&] { return engine->stats().waiting == 1; }));
  go.set_value();
  EXPECT_EQ(waiting.wait_finished().usage.completion_tokens, 5);
}

TEST(Engine, AFailedLoadFailsOnlyWhoWantedIt) {
  const auto engine = start(tiny());
  Request bad = greedy(prompt(1, 20), 5);
  bad.registered = *engine->adapters().add(
      {"torn", "torn", []() -> Result<std::shared_ptr<const model::Adapter>> {
         return data_loss("its bytes are torn");
       }});
  Request good = greedy(prompt(1, 20), 5);
  good.registered = registered(*engine, "good", random_adapter(tiny_config(), 4, 1, "good"));
  auto failing = std::async(std::launch::async, [&] { return engine->generate(bad); });
  EXPECT_TRUE(engine->generate(good));
  EXPECT_EQ(failing.get().error().message, "adapter torn: its bytes are torn");

  model::ModelConfig other = tiny_config();
  other.layers = 3;
  bad.registered = registered(*engine, "other", random_adapter(other, 4, 1, "other"));
  EXPECT_EQ(engine->generate(bad).error().message,
            "adapter adapter other has 3 layers, the base 2");
  other = tiny_config();
  other.vocabulary = 300;
  Request foreign = greedy(prompt(1, 5), 2);
  foreign.adapter = random_adapter(other, 4, 1, "words", /*tables=*/true);
  EXPECT_NE(engine->generate(foreign).error().message.find("is for a vocabulary of 300"),
            std::string::npos);
  bad.adapter = random_adapter(tiny_config(), 4, 1, "good");
  EXPECT_EQ(engine->generate(bad).error().code, Code::kInvalidArgument);
}

TEST(Engine, EndsCleanlyWhileAdaptersLoad) {
  std::vector<Listener> listeners(20);
  {
    const auto engine = start(tiny());
    for (size_t i = 0; i < listeners.size(); ++i) {
      Request request = greedy(prompt(1, 20), 100);
      const std::string digest = std::to_string(i);
      request.registered = registered(*engine, digest, random_adapter(tiny_config(), 4, 1, digest));
      request.sink = listeners[i].sink();
      ASSERT_TRUE(engine->submit(request));
    }
  }
  for (auto& listener : listeners) EXPECT_TRUE(listener.events.back().finished);
}

TEST(Engine, RefusesOptionsThatCannotWork) {
  EngineOptions options = kSmall;
  options.kv_bytes = 100;
  EXPECT_EQ(Engine::start(tiny(), options).error().message,
            "kv_bytes 100 is less than one block of 1024 bytes");
  options = kSmall;
  options.rows_max = 0;
  EXPECT_FALSE(Engine::start(tiny(), options));
}

TEST(Engine, ReportsItsMemoryBeforeTheFirstStep) {
  const auto engine = start(tiny());
  const int64_t before = engine->stats().memory_bytes;
  EXPECT_GE(before, 1 << 20);
  ASSERT_TRUE(engine->generate(greedy(prompt(1, 100), 10)));
  EXPECT_EQ(engine->stats().memory_bytes, before);
}

// A random model has no idea of JSON: whatever it samples, the answer is of the schema.
TEST(Engine, AGrammarIsFollowedAndEndsTheAnswer) {
  const auto engine = start(tiny());
  const auto schema = grammar::Grammar::from_schema(
      R"({"type":"object","properties":{"a":{"enum":["xy","电"]},"n":{"type":"integer"}},
          "required":["a","n"],"additionalProperties":false})");
  ASSERT_TRUE(schema);
  for (uint64_t seed = 0; seed < 8; ++seed) {
    Request request = greedy(prompt(seed, 5), 200);
    request.sampling = {.temperature = seed % 2 == 0 ? 0.0f : 2.0f,
                        .repetition_penalty = 1.2f,
                        .seed = seed,
                        .top_logprobs = 3};
    request.grammar = *schema;
    const auto answer = engine->generate(request);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->reason, FinishReason::kStop);
    EXPECT_TRUE(answer->text.starts_with("{")) << answer->text;
    EXPECT_TRUE(answer->text.ends_with("}")) << answer->text;
    EXPECT_TRUE(answer->text.find("\"xy\"") != std::string::npos ||
                answer->text.find("\"电\"") != std::string::npos)
        << answer->text;
    request.tokens_max = 3;
    const auto cut = engine->generate(request);
    EXPECT_EQ(cut->reason, FinishReason::kLength);
    EXPECT_TRUE(answer->text.starts_with(cut->text));
  }
}

TEST(Engine, UnderAGrammarEosComesOnlyWhereTheTextMayEnd) {
  const auto engine = start(tiny());
  Request request = greedy(prompt(1, 5), 50);
  request.grammar = *grammar::Grammar::from_gbnf("root ::= [a-c]{4} | [a-c]{8,}");
  request.sampling.logit_bias = {{256, 100.0f}};
  const auto answer = engine->generate(request);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->text.size(), 4u) << answer->text;
  EXPECT_EQ(answer->reason, FinishReason::kStop);
}

TEST(Engine, LogprobsUnderAGrammarAreAmongWhatMayCome) {
  const auto engine = start(tiny());
  Listener listener;
  Request request = greedy(prompt(1, 5), 50);
  request.grammar = *grammar::Grammar::from_gbnf("root ::= \"a\" [bc] \"d\"");
  request.sampling.top_logprobs = 5;
  request.sink = listener.sink();
  ASSERT_TRUE(engine->submit(request));
  listener.wait_finished();
  ASSERT_EQ(listener.events.size(), 3u);
  EXPECT_FLOAT_EQ(listener.events[0].logprob, 0);
  ASSERT_EQ(listener.events[1].top.size(), 2u);
  EXPECT_NEAR(
      std::exp(listener.events[1].top[0].second) + std::exp(listener.events[1].top[1].second), 1,
      1e-5);
}

}  // namespace
}  // namespace plinth::engine
