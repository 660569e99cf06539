// Tokens per second of the engine beside the bound that each case faces: decode reads every weight
// once for each step (bytes per second of a plain read of the same memory, measured here), prefill
// is multiply-adds (the rate of the model's largest matrix product, measured here).
//
//   engine_bench --benchmark_counters_tabular=true
#include <atomic>
#include <latch>
#include <numeric>

#include <benchmark/benchmark.h>

#include "core/clock.h"
#include "core/threads.h"
#include "engine/engine.h"
#include "engine/sampler.h"
#include "engine/test_model.h"
#include "tensor/ops.h"

namespace plinth::engine {
namespace {

// Some 31 million parameters: larger than every cache of a small machine.
model::ModelConfig bench_config() {
  model::ModelConfig config = tiny_config();
  config.vocabulary = 8192;
  config.width = 512;
  config.layers = 8;
  config.heads = 8;
  config.kv_heads = 4;
  config.head_dim = 64;
  config.ffn = 1536;
  config.context = 1024;
  return config;
}

const std::shared_ptr<const model::Model>& bench_model() {
  static const auto model = random_model(bench_config(), 1, 0.05);
  return model;
}

std::vector<int32_t> prompt(uint64_t seed, int64_t n) {
  Rng rng(seed);
  std::vector<int32_t> tokens(static_cast<size_t>(n));
  for (int32_t& token : tokens) token = static_cast<int32_t>(rng.below(256));
  return tokens;
}

// Bytes per second when all threads read the weights' memory.
double read_bandwidth() {
  static const double value = [] {
    std::vector<uint64_t> memory(size_t{16} << 20, 1);  // 128 MiB
    std::atomic<uint64_t> sink = 0;
    double best = 0;
    for (int round = 0; round < 5; ++round) {
      const Stopwatch watch;
      compute_pool().parallel_for(
          std::ssize(memory), 1 << 18, [&](int64_t begin, int64_t end, int) {
            sink += std::accumulate(memory.begin() + begin, memory.begin() + end, uint64_t{0});
          });
      best = std::max(best, static_cast<double>(memory.size() * 8) / watch.seconds());
    }
    return best;
  }();
  return value;
}

// FLOP per second of a product of 256 rows with the model's gate matrix.
double linear_flops() {
  static const double value = [] {
    const auto& weight = bench_model()->weights().layers[0].linear[4];
    const tensor::Buffer x_floats = [&] {
      tensor::Buffer buffer(256 * weight.cols);
      buffer.fill(0.5f);
      return buffer;
    }();
    tensor::Buffer y(256 * weight.rows);
    double best = 0;
    for (int round = 0; round < 10; ++round) {
      const Stopwatch watch;
      tensor::default_ops().linear(x_floats.as(256, weight.cols), weight, y.as(256, weight.rows),
                                   false);
      best = std::max(best,
                      2.0 * 256 * static_cast<double>(weight.rows * weight.cols) / watch.seconds());
    }
    return best;
  }();
  return value;
}

// `clients` requests at once, each `tokens_max` tokens long; adapter i for client i when there are
// any.
void run_clients(Engine& engine, int clients, int64_t prompt_tokens, int64_t tokens_max,
                 const std::vector<std::shared_ptr<const model::Adapter>>& adapters) {
  std::latch done(clients);
  for (int i = 0; i < clients; ++i) {
    Request request{.prompt = prompt(static_cast<uint64_t>(i), prompt_tokens),
                    .sampling = {.temperature = 0, .logit_bias = {{256, -100.0f}}},
                    .tokens_max = tokens_max};
    if (!adapters.empty()) request.adapter = adapters[static_cast<size_t>(i) % adapters.size()];
    request.sink = [&done](const Event& event) {
      if (event.finished) done.count_down();
    };
    PLINTH_CHECK(engine.submit(std::move(request)).has_value(), "the queue is large enough");
  }
  done.wait();
}

// range(0): clients; range(1): different adapters.
void decode(benchmark::State& state) {
  const auto clients = static_cast<int>(state.range(0));
  std::vector<std::shared_ptr<const model::Adapter>> adapters;
  for (int64_t i = 0; i < state.range(1); ++i)
    adapters.push_back(
        random_adapter(bench_config(), 16, static_cast<uint64_t>(i), std::to_string(i)));
  auto engine = Engine::start(bench_model(), {.prefix_cache = false});
  constexpr int64_t kTokens = 64;
  run_clients(**engine, clients, 1, 8, adapters);  // touches the memory
  for (auto _ : state) run_clients(**engine, clients, 1, kTokens, adapters);
  const double tokens = static_cast<double>(state.iterations() * clients * kTokens);
  state.counters["tokens/s"] = benchmark::Counter(tokens, benchmark::Counter::kIsRate);
  const double bound =
      read_bandwidth() / static_cast<double>(bench_model()->weight_bytes()) * clients;
  state.counters["bound"] = bound;
  state.counters["of_bound"] = benchmark::Counter(tokens / bound, benchmark::Counter::kIsRate);
}

BENCHMARK(decode)
    ->ArgNames({"clients", "adapters"})
    ->Args({1, 0})
    ->Args({8, 0})
    ->Args({8, 1})
    ->Args({8, 8})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

void prefill(benchmark::State& state) {
  auto engine = Engine::start(bench_model(), {.prefix_cache = false});
  const int64_t tokens = state.range(0);
  run_clients(**engine, 1, tokens, 1, {});
  for (auto _ : state) run_clients(**engine, 1, tokens, 1, {});
  const auto& config = bench_model()->config();
  const double all = static_cast<double>(state.iterations() * tokens);
  state.counters["tokens/s"] = benchmark::Counter(all, benchmark::Counter::kIsRate);
  const double flop =
      2.0 * static_cast<double>(bench_model()->parameters() - config.vocabulary * config.width);
  const double bound = linear_flops() / flop;
  state.counters["bound"] = bound;
  state.counters["of_bound"] = benchmark::Counter(all / bound, benchmark::Counter::kIsRate);
}

BENCHMARK(prefill)->ArgName("tokens")->Arg(512)->UseRealTime()->Unit(benchmark::kMillisecond);

// An answer that repeats words of the document before it, on the embedded base: the text once, and
// its beginning again to go on from. The argument: tokens guessed at a time.
void quote(benchmark::State& state) {
  const auto model = model::Model::open_embedded();
  if (!model) return state.SkipWithError(model.error().message.c_str());
  const std::string text =
      "第一条 "
      "租赁合同的期限不得超过二十年，超过二十年的，超过部分无效。租赁期限届满，当事人可以续订"
      "合同。第二条 "
      "出租人应当按照约定将房屋交付承租人，并在租赁期限内保持房屋符合约定的用途。第三条 "
      "承租人应当按照约定的方法使用房屋，因保管不善造成损坏的，应当承担赔偿责任。第四条 "
      "承租人应当按照约定的期限支付租金，每月五日以前交清当月租金，逾期按日加收千分之一的违约金。"
      "\n";
  Request request;
  request.prompt =
      (*model)->tokenizer().encode(text + text.substr(0, text.find("租赁期限届满")), false);
  request.sampling.temperature = 0;
  request.tokens_max = 96;
  request.lookup_tokens = state.range(0);
  auto engine = Engine::start(*model, {});
  // Fills the prefix cache: what is timed is decoding.
  if (!(*engine)->generate(request)) return state.SkipWithError("no answer");
  int64_t tokens = 0;
  for (auto _ : state) tokens += std::ssize((*engine)->generate(request)->ids);
  const EngineStats stats = (*engine)->stats();
  state.counters["tokens/s"] =
      benchmark::Counter(static_cast<double>(tokens), benchmark::Counter::kIsRate);
  state.counters["right"] = stats.lookup_tokens == 0 ? 0
                                                     : static_cast<double>(stats.lookup_accepted) /
                                                           static_cast<double>(stats.lookup_tokens);
}

BENCHMARK(quote)->ArgName("lookup")->Arg(0)->Arg(4)->Arg(8)->Arg(16)->UseRealTime()->Unit(
    benchmark::kMillisecond);

// One token from logits as a base with 151,936 of them gives: most far below a few.
void sample(benchmark::State& state) {
  static const std::vector<float> logits = [] {
    std::vector<float> values(151936);
    Rng rng(7);
    for (float& value : values) value = static_cast<float>(2 * rng.normal());
    for (int i = 0; i < 20; ++i) values[rng.below(values.size())] += 15;
    return values;
  }();
  const Sampling settings[] = {
      {.temperature = 0}, {},
      {.top_p = 0.9f},    {.top_k = 40},
      {.min_p = 0.05f},   {.temperature = 0.7f, .top_p = 0.8f, .top_k = 20}};
  static constexpr const char* kNames[] = {"greedy", "all", "top_p", "top_k", "min_p", "Qwen's"};
  const auto which = static_cast<size_t>(state.range(0));
  state.SetLabel(kNames[which]);
  Sampler sampler(settings[which]);
  for (auto _ : state) benchmark::DoNotOptimize(sampler.choose(logits, {}));
}

BENCHMARK(sample)->DenseRange(0, 5)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace plinth::engine
