// The equalities that choices, prompt lookup and the deterministic mode promise.
#include <ostream>

#include <gtest/gtest.h>

#include "engine/engine.h"
#include "engine/test_engine.h"

namespace plinth::engine {
namespace {

// What a request gave: tokens, text and the very bits of the log-probabilities, by choice.
struct Given {
  std::vector<int32_t> ids = {};
  std::string text = {};
  std::vector<float> logprobs = {};
  FinishReason reason = FinishReason::kError;

  bool operator==(const Given&) const = default;

  friend void PrintTo(const Given& given, std::ostream* out) {
    for (size_t i = 0; i < given.ids.size(); ++i)
      *out << fmt::format("{} ({}) ", given.ids[i], given.logprobs[i]);
    *out << fmt::format("reason {}", static_cast<int>(given.reason));
  }
};

std::vector<Given> gather(const std::vector<Event>& events, int32_t n) {
  std::vector<Given> given(static_cast<size_t>(n));
  for (const Event& event : events) {
    Given& choice = given[static_cast<size_t>(event.choice)];
    choice.text += event.text;
    if (event.id >= 0) choice.ids.push_back(event.id);
    if (event.id >= 0) choice.logprobs.push_back(event.logprob);
    if (event.finished) choice.reason = event.reason;
  }
  return given;
}

// Submits all at once and waits for all.
std::vector<std::vector<Given>> ask(Engine& engine, std::vector<Request> requests) {
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::vector<Event>> events;
    int32_t open = 0;
  };

  const auto state = std::make_shared<State>();
  state->events.resize(requests.size());
  for (const Request& request : requests) state->open += request.n;
  for (size_t i = 0; i < requests.size(); ++i) {
    requests[i].sink = [state, i](const Event& event) {
      const std::lock_guard lock(state->mutex);
      state->events[i].push_back(event);
      if (event.finished && --state->open == 0) state->changed.notify_all();
    };
    const auto id = engine.submit(requests[i]);
    PLINTH_CHECK(id.has_value(), "{}", id.error().message);
  }
  std::unique_lock lock(state->mutex);
  PLINTH_CHECK(state->changed.wait_for(lock, kPatience, [&] { return state->open == 0; }),
               "{} choices did not end", state->open);
  std::vector<std::vector<Given>> given;
  for (size_t i = 0; i < requests.size(); ++i)
    given.push_back(gather(state->events[i], requests[i].n));
  return given;
}

std::vector<Given> ask_one(Engine& engine, const Request& request) {
  return ask(engine, {request})[0];
}

Request sampled(std::vector<int32_t> tokens, int64_t tokens_max, uint64_t seed) {
  Request request = greedy(std::move(tokens), tokens_max);
  request.sampling = {.temperature = 0.8f, .top_p = 0.9f, .seed = seed};
  return request;
}

EngineOptions deterministic(EngineOptions options = kSmall) {
  options.deterministic = true;
  return options;
}

constexpr int64_t kBlockBytes = 2 * 2 * 2 * 8 * 4 * 4;  // of tiny() and kSmall

// --- cached prefixes ----------------------------------------------------------------------------

// A prompt with others behind it, each of which leaves it after so many tokens.
std::vector<Request> parting(size_t shared_max) {
  std::vector<Request> requests;
  for (size_t shared = 4; shared <= shared_max; ++shared) {
    auto tokens = prompt(1, shared);
    const auto own = prompt(100 + shared, 1 + shared % 3);
    tokens.insert(tokens.end(), own.begin(), own.end());
    requests.push_back(sampled(std::move(tokens), 12, shared));
    requests.back().sampling.logit_bias = {{256, -100.0f}};
  }
  return requests;
}

TEST(CachedPrefix, ThatEndsInsideABlockGivesTheBitsOfAFreshOne) {
  const auto requests = parting(40);
  for (const auto type : {tensor::KvType::kF32, tensor::KvType::kF16, tensor::KvType::kQ8}) {
    EngineOptions options = deterministic();
    options.kv_type = type;
    EngineOptions fresh = options;
    fresh.prefix_cache = false;
    const auto expected = ask(*start(tiny(), fresh), requests);
    const auto engine = start(tiny(), options);
    const auto first = greedy(prompt(1, 44), 1);
    const auto before = ask_one(*engine, first);
    for (size_t i = 0; i < requests.size(); ++i)
      EXPECT_EQ(ask_one(*engine, requests[i]), expected[i]) << i << ", alone";
    EXPECT_GT(engine->stats().blocks_copied, 20);
    EXPECT_EQ(ask(*engine, requests), expected) << "together";
    EXPECT_EQ(ask_one(*engine, first), before) << "what they shared is as it was";
    EXPECT_TRUE(
        eventually([&] { return engine->stats().kv_blocks_free == engine->stats().kv_blocks; }));
  }
}

TEST(CachedPrefix, OnlyRowsBehindTheSharedTokensAreComputed) {
  const auto engine = start(tiny());
  ASSERT_TRUE(engine->generate(greedy(prompt(1, 40), 1)));
  EXPECT_TRUE(eventually([&] { return engine->stats().rows == 40; }));
  auto tokens = prompt(1, 31);
  tokens.insert(tokens.end(), {7, 8, 9});
  const auto answer = engine->generate(greedy(tokens, 1));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->usage.cached_tokens, 31);
  EXPECT_TRUE(eventually([&] { return engine->stats().rows == 43; }));
  EXPECT_EQ(engine->stats().blocks_copied, 1);
}

TEST(CachedPrefix, InAPoolThatIsTooSmallForAllStaysExact) {
  const auto requests = parting(40);
  EngineOptions fresh = deterministic();
  fresh.prefix_cache = false;
  const auto expected = ask(*start(tiny(), fresh), requests);
  for (const int64_t blocks : {14, 15, 20, 40}) {  // the longest takes 14
    EngineOptions tight = deterministic();
    tight.kv_bytes = blocks * kBlockBytes;
    const auto engine = start(tiny(), tight);
    EXPECT_EQ(ask(*engine, requests), expected) << blocks << " blocks";
    EXPECT_EQ(ask(*engine, requests), expected) << blocks << " blocks, again";
    EXPECT_GT(engine->stats().blocks_copied, 0) << blocks << " blocks";
    EXPECT_TRUE(
        eventually([&] { return engine->stats().kv_blocks_free == engine->stats().kv_blocks; }));
  }
}

TEST(CachedPrefix, CancelledBesideOthersGivesTheirBlocksBack) {
  const auto requests = parting(40);
  std::vector<Listener> listeners(requests.size());
  const auto engine = start(tiny());
  ASSERT_TRUE(engine->generate(greedy(prompt(1, 44), 1)));
  for (size_t i = 0; i < requests.size(); ++i) {
    Request request = requests[i];
    request.tokens_max = 80;
    request.sink = listeners[i].sink();
    const auto id = engine->submit(request);
    ASSERT_TRUE(id);
    if (i % 2 == 0) engine->cancel(*id);
  }
  for (auto& listener : listeners) listener.wait_finished();
  EXPECT_TRUE(
      eventually([&] { return engine->stats().kv_blocks_free == engine->stats().kv_blocks; }));
}

// --- choices ------------------------------------------------------------------------------------

TEST(Choices, AreTheAnswersOfRequestsOfTheirOwn) {
  for (const bool cache : {false, true})
    for (const size_t length : {1u, 7u, 8u, 30u, 50u}) {  // on and off the ends of blocks and steps
      EngineOptions options = deterministic();
      options.prefix_cache = cache;
      const auto engine = start(tiny(), options);
      Request request = sampled(prompt(length, length), 20, 5);
      std::vector<Given> alone;
      for (uint64_t i = 0; i < 5; ++i) {
        request.sampling.seed = 5 + i;
        alone.push_back(ask_one(*engine, request)[0]);
      }
      request.sampling.seed = 5;
      request.n = 5;
      EXPECT_EQ(ask_one(*engine, request), alone) << length;
      EXPECT_TRUE(
          eventually([&] { return engine->stats().kv_blocks_free == engine->stats().kv_blocks; }));
    }
}

TEST(Choices, ShareThePromptUntilTheyWrite) {
  EngineOptions options = kSmall;
  options.prefix_cache = false;
  const auto engine = start(tiny(), options);
  Request request = sampled(prompt(1, 30), 2, 5);
  request.sampling.logit_bias = {{256, -100.0f}};
  request.n = 6;
  ask_one(*engine, request);
  // 30 rows of prompt, and for each choice the row of its first token.
  EXPECT_TRUE(eventually([&] { return engine->stats().rows == 36; }));
  EXPECT_EQ(engine->stats().blocks_copied, 5) << "the last writer keeps the original";
  request.prompt = prompt(1, 32);
  ask_one(*engine, request);
  EXPECT_EQ(engine->stats().blocks_copied, 5) << "full blocks are never written";
}

TEST(Choices, MoreThanThereArePlacesOrBlocksForStillAnswer) {
  EngineOptions roomy = deterministic();
  EngineOptions few = roomy;
  few.sequences_max = 3;
  EngineOptions tight = roomy;
  tight.kv_bytes = 24 * kBlockBytes;
  for (const bool cache : {false, true}) {
    tight.prefix_cache = few.prefix_cache = cache;
    Request request = sampled(prompt(3, 21), 50, 9);
    request.n = 10;
    const auto expected = ask_one(*start(tiny(), roomy), request);
    EXPECT_EQ(ask_one(*start(tiny(), few), request), expected);
    const auto engine = start(tiny(), tight);
    EXPECT_EQ(ask_one(*engine, request), expected);
    EXPECT_GT(engine->stats().preemptions, 0);
    EXPECT_TRUE(eventually([&] { return engine->stats().kv_blocks_free == 24; }));
  }
}

TEST(Choices, OneCancelEndsThemAll) {
  for (const size_t wait : {0u, 1u, 12u}) {
    Listener listener;
    const auto engine = start(tiny());
    Request request = sampled(prompt(3, 60), 60, 9);
    request.sampling.logit_bias = {{256, -100.0f}};
    request.n = 8;
    request.sink = listener.sink();
    const auto id = engine->submit(request);
    ASSERT_TRUE(wait == 0 || listener.wait_for(wait));
    engine->cancel(*id);
    const auto finished = [&] {
      const std::lock_guard lock(listener.mutex);
      return std::ranges::count_if(listener.events, &Event::finished) == 8;
    };
    EXPECT_TRUE(eventually(finished));
    EXPECT_TRUE(
        eventually([&] { return engine->stats().kv_blocks_free == engine->stats().kv_blocks; }));
  }
}

TEST(Choices, EndOnTheirFirstTokenToo) {
  const auto engine = start(tiny());
  Request request = sampled(prompt(3, 21), 1, 9);
  request.n = 4;
  for (const Given& given : ask_one(*engine, request)) EXPECT_EQ(given.ids.size(), 1u);
  EXPECT_TRUE(
      eventually([&] { return engine->stats().kv_blocks_free == engine->stats().kv_blocks; }));
  request.n = 0;
  request.sink = [](const Event&) {};
  EXPECT_EQ(engine->submit(request).error().message, "n 0 is outside 1..128");
}

// --- prompt lookup ------------------------------------------------------------------------------

// Prompts that repeat themselves, so that guesses are made and some are right.
std::vector<int32_t> repetitive(uint64_t seed) {
  auto tokens = prompt(seed, 12);
  const auto once = tokens;
  tokens.insert(tokens.end(), once.begin(), once.end());
  return tokens;
}

std::vector<Request> lookup_requests() {
  std::vector<Request> requests;
  for (uint64_t i = 0; i < 6; ++i) {
    Request request = i % 2 == 0 ? greedy(repetitive(i), 60) : sampled(repetitive(i), 60, i);
    request.sampling.logit_bias = {{256, -100.0f}};
    // A sharp model repeats itself: greedy ones loop, seeded ones do at a low temperature.
    if (i % 2 == 1) request.sampling.temperature = 0.3f;
    if (i == 2) request.sampling.repetition_penalty = 1.1f;
    if (i == 3) request.sampling.frequency_penalty = 0.1f;
    if (i == 4) request.sampling.presence_penalty = 0.5f;
    if (i == 5) request.tokens_max = 1000;  // to the end of the context
    requests.push_back(std::move(request));
  }
  return requests;
}

void with_lookup(std::vector<Request>& requests) {
  for (size_t i = 0; i < requests.size(); ++i)
    requests[i].lookup_tokens = static_cast<int64_t>(1 + i * 3);
}

TEST(PromptLookup, GivesThePlainAnswer) {
  const auto engine = start(tiny(), deterministic());
  auto requests = lookup_requests();
  const auto plain = ask(*engine, requests);
  EXPECT_EQ(engine->stats().lookup_tokens, 0);
  for (size_t i = 0; i < plain.size(); ++i) {  // stops in the middle of what is guessed at once
    requests.push_back(requests[i]);
    requests.back().stop = {plain[i][0].text.substr(plain[i][0].text.size() / 2, 2)};
    requests.push_back(requests[i]);
    requests.back().stop_tokens = {plain[i][0].ids[plain[i][0].ids.size() / 2]};
  }
  const auto expected = ask(*start(tiny(), deterministic()), requests);
  with_lookup(requests);
  for (Request& request : requests) request.lookup_tokens = *request.lookup_tokens % 33;
  const auto speculating = start(tiny(), deterministic());
  EXPECT_EQ(ask(*speculating, requests), expected);
  const auto stats = speculating->stats();
  EXPECT_GT(stats.lookup_tokens, 0);
  EXPECT_GT(stats.lookup_accepted, 0);
  EXPECT_LT(stats.lookup_accepted, stats.lookup_tokens);
  EXPECT_TRUE(eventually(
      [&] { return speculating->stats().kv_blocks_free == speculating->stats().kv_blocks; }));
}

TEST(PromptLookup, GivesThePlainAnswerUnderPreemption) {
  auto requests = lookup_requests();
  requests[3].n = 3;
  const auto expected = ask(*start(tiny(), deterministic()), requests);
  with_lookup(requests);
  EngineOptions tight = deterministic();
  tight.kv_bytes = 34 * kBlockBytes;
  for (const bool cache : {false, true}) {
    tight.prefix_cache = cache;
    const auto engine = start(tiny(), tight);
    const auto given = ask(*engine, requests);
    for (size_t i = 0; i < requests.size(); ++i) EXPECT_EQ(given[i], expected[i]) << i;
    EXPECT_GT(engine->stats().preemptions, 0);
    EXPECT_GT(engine->stats().lookup_accepted, 0);
    EXPECT_TRUE(eventually([&] { return engine->stats().kv_blocks_free == 34; }));
  }
}

TEST(PromptLookup, SavesStepsWhereTheAnswerRepeats) {
  Request request = greedy(repetitive(0), 80);
  request.sampling.logit_bias = {{256, -100.0f}};
  const auto plain = start(tiny());
  ask_one(*plain, request);
  EngineOptions options = kSmall;
  options.lookup_tokens = 8;
  const auto guessing = start(tiny(), options);
  ask_one(*guessing, request);
  EXPECT_LT(guessing->stats().steps, plain->stats().steps);
  request.lookup_tokens = 33;
  request.sink = [](const Event&) {};
  EXPECT_EQ(guessing->submit(request).error().message, "lookup_tokens 33 is outside 0..32");
}

// --- deterministic ------------------------------------------------------------------------------

// tiny() with its matrices in another type; wide enough for whole blocks.
std::shared_ptr<const model::Model> stored_as(tensor::DType type) {
  model::ModelConfig config = tiny_config();
  config.width = 64;
  const auto base = random_model(config, 1, 0.5);
  auto store = std::make_shared<
      std::pair<std::vector<std::vector<std::byte>>, std::shared_ptr<const model::Model>>>();
  store->second = base;
  model::Weights weights = base->weights();
  for (auto& layer : weights.layers)
    for (tensor::Weight& w : layer.linear) {
      const size_t row = tensor::row_bytes(type, w.cols);
      auto& bytes = store->first.emplace_back(row * static_cast<size_t>(w.rows));
      for (int64_t r = 0; r < w.rows; ++r)
        tensor::from_f32(static_cast<const float*>(w.data) + r * w.cols, w.cols, type,
                         bytes.data() + row * static_cast<size_t>(r));
      w.data = bytes.data();
      w.type = type;
    }
  return model::Model::assemble(config, weights, std::make_shared<ByteTokenizer>(), "", store);
}

TEST(Deterministic, BitsDoNotDependOnCompanyCutsCacheOrPreemption) {
  for (const auto type :
       {tensor::DType::kF32, tensor::DType::kF16, tensor::DType::kQ8_0, tensor::DType::kQ4_0}) {
    const auto model = stored_as(type);
    std::vector<Request> requests;
    for (uint64_t i = 0; i < 16; ++i) {
      requests.push_back(sampled(prompt(i, 3 + 5 * (i % 9)), 40, i));
      requests.back().sampling.logit_bias = {{256, -100.0f}};
      if (i % 3 != 0)
        requests.back().adapter =
            random_adapter(model->config(), 1 + static_cast<int64_t>(i % 4) * 5, i % 3,
                           fmt::format("adapter {} {}", i % 4, i % 3), /*tables=*/i % 2 == 0);
      if (i % 5 < 3 && requests.back().adapter != nullptr)  // as a pool keeps it
        requests.back().adapter =
            *model::interleaved(*requests.back().adapter, *model, tensor::default_ops());
    }
    EngineOptions fresh = deterministic();
    fresh.prefix_cache = false;
    fresh.kv_bytes = 4 << 20;
    std::vector<std::vector<Given>> alone;
    {
      const auto engine = start(model, fresh);
      for (const Request& request : requests) alone.push_back(ask_one(*engine, request));
    }
    const std::string name(tensor::dtype_name(type));
    EXPECT_EQ(ask(*start(model, fresh), requests), alone) << name << ": in a batch";
    for (const int64_t rows : {1, 7, 100}) {
      EngineOptions cut = fresh;
      cut.rows_max = rows;
      EXPECT_EQ(ask(*start(model, cut), requests), alone) << name << ": cut at " << rows;
    }
    EngineOptions cached = fresh;
    cached.prefix_cache = true;
    const auto engine = start(model, cached);
    EXPECT_EQ(ask(*engine, requests), alone) << name << ": filling the cache";
    EXPECT_EQ(ask(*engine, requests), alone) << name << ": from the cache";
    EXPECT_GT(engine->stats().prefix_hits_tokens, 0);
    EngineOptions tight = cached;
    tight.kv_bytes = 60 * kBlockBytes;
    const auto preempting = start(model, tight);
    EXPECT_EQ(ask(*preempting, requests), alone) << name << ": recomputed";
    EXPECT_GT(preempting->stats().preemptions, 0);
  }
}

// Root of the mean square.
double typical_difference(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += std::pow(double{a[i]} - double{b[i]}, 2);
  return std::sqrt(sum / static_cast<double>(a.size()));
}

// The pool rounds an adapter to eight bits where its base has no more. What that costs is less than
// what rounding the base did, and the adapter is the same all the same.
TEST(Engine, AnAdapterOverAQuantisedBaseIsRoundedLessThanTheBase) {
  const auto exact_base = start(stored_as(tensor::DType::kF32));
  for (const auto type : {tensor::DType::kQ8_0, tensor::DType::kQ4_0}) {
    const auto model = stored_as(type);
    const auto engine = start(model);
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      auto adapter = *random_adapter(model->config(), 8, seed, fmt::format("{}", seed), true);
      for (model::LowRank* delta : model::delta_places(adapter)) delta->scale *= 0.2f;
      const auto given = std::make_shared<const model::Adapter>(adapter);
      const auto kept = *model::interleaved(adapter, *model, tensor::default_ops());
      EXPECT_EQ(kept->layers[0][0].a.type, tensor::DType::kQ8_0);
      EXPECT_LT(adapter_bytes(*kept), adapter_bytes(adapter));
      const auto tokens = prompt(seed, 50);
      const auto exact = *engine->logits(tokens, given);
      const double rounding = typical_difference(exact, *engine->logits(tokens, kept));
      const double of_base = typical_difference(exact, *exact_base->logits(tokens, given));
      const double effect = typical_difference(exact, *engine->logits(tokens, nullptr));
      EXPECT_GT(rounding, 0);
      EXPECT_LT(rounding, of_base) << seed;
      EXPECT_LT(rounding, 0.1 * effect) << seed;
    }
  }
}

}  // namespace
}  // namespace plinth::engine
