#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "cli/bases.h"
#include "cli/bench_refine.h"
#include "cli/bench_serve.h"
#include "cli/bench_tune.h"
#include "cli/command.h"
#include "cli/kv_option.h"
#include "cli/machine.h"
#include "core/clock.h"
#include "core/hash.h"
#include "core/interrupt.h"
#include "core/json.h"
#include "core/rng.h"
#include "engine/engine.h"

namespace plinth::cli {
namespace {

struct Options {
  std::string name;
  std::string model = kEmbeddedBase;
  int64_t repeats = 5;
  int64_t rank = 16;
  int64_t sequences = 0;    // lora: of a batch; 0: 8, then 64
  int64_t context = 16384;  // growth: the longest
  int64_t adapters = 256;   // growth: the most
  KvOption kv;
  Path file;  // tokenize: the text; without one, what the model itself writes
};

// One figure and the machine's limit for it: of_bound says how near it is.
struct Row {
  std::string name;
  double value = 0;
  std::string unit;
  double bound = 0;  // in the same unit; 0: none is known
};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + std::ssize(values) / 2, values.end());
  return values[values.size() / 2];
}

// Encodes and decodes the text on this thread; checks that it comes back when it should.
Result<std::vector<Row>> tokenize_rows(const text::Tokenizer& tokenizer, const std::string& text,
                                       int64_t repeats) {
  const auto& spec = tokenizer.spec();
  const bool exact =
      spec.algorithm == text::Algorithm::kByteBpe && !spec.nfc && spec.matching.empty();
  std::vector<double> encode, decode;
  for (int64_t i = 0; i < repeats; ++i) {
    const Stopwatch watch;
    const auto ids = tokenizer.encode(text, false);
    const double middle = watch.seconds();
    const auto back = tokenizer.decode(ids);
    if (exact && back != text) return internal_error("tokenize: the text did not come back");
    encode.push_back(static_cast<double>(text.size()) * 1e-6 / middle);
    decode.push_back(static_cast<double>(text.size()) * 1e-6 / (watch.seconds() - middle));
  }
  return std::vector<Row>{{"encode, one thread", median(encode), "MB/s", 0},
                          {"decode, one thread", median(decode), "MB/s", 0}};
}

class Bench {
 public:
  static Result<Bench> open(const Options& options, const Context& context) {
    Bench bench;
    bench.options_ = options;
    PLINTH_TRY(bench.loaded_, open_model(options.model, context.home));
    bench.machine_ = measure_machine();
    engine::EngineOptions engine_options;
    engine_options.prefix_cache = false;               // every prompt is paid for
    engine_options.adapter_bytes = int64_t{16} << 30;  // all of a batch's at once
    PLINTH_TRY(options.kv.read_into(engine_options));
    if (options.name == "growth") {
      engine_options.kv_bytes = int64_t{4} << 30;
      engine_options.sequences_max = kCrowd;
      engine_options.rows_max = 4 * kCrowd;  // a crowd's prompts in a few steps
    }
    PLINTH_TRY(bench.engine_, engine::Engine::start(bench.loaded_.base, engine_options));
    while (!bench.engine_->stats().interleaved)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return bench;
  }

  const Machine& machine() const { return machine_; }

  Result<std::vector<Row>> run() {
    if (options_.name == "decode") return decode();
    if (options_.name == "prefill") return prefill();
    if (options_.name == "batch") return batch();
    if (options_.name == "lora") return lora();
    if (options_.name == "growth") return growth();
    return tokenize();
  }

 private:
  static constexpr int64_t kPrompt = 64;
  static constexpr int64_t kCrowd = 256;
  static constexpr int64_t kAnswer = 64;

  const model::ModelConfig& config() const { return loaded_.base->config(); }

  // Every step of a decode reads all weights once, whatever the batch.
  double decode_bound(int64_t sequences) const {
    const double by_bandwidth = machine_.read_gb_per_s * 1e9 /
                                static_cast<double>(loaded_.base->weight_bytes()) *
                                static_cast<double>(sequences);
    const auto& head = loaded_.base->weights().head;
    return std::min(by_bandwidth, arithmetic_bound(head.rows * head.cols));
  }

  // Two operations per token and weight of the layers, and of `more`: of bytes, where the layers'
  // weights are quantised and the machine's rate is known.
  double arithmetic_bound(int64_t more) const {
    bool quantised = machine_.byte_gop_per_s > 0;
    int64_t weights = more;
    for (const auto& layer : loaded_.base->weights().layers) {
      for (const auto& weight : layer.linear) {
        if (weight.empty()) continue;
        weights += weight.rows * weight.cols;
        quantised = quantised && tensor::is_quantised(weight.type);
      }
    }
    const double rate = quantised ? machine_.byte_gop_per_s : machine_.gflop_per_s;
    return rate * 1e9 / (2.0 * static_cast<double>(weights));
  }

  std::vector<int32_t> prompt(int64_t tokens) {
    std::vector<int32_t> ids(static_cast<size_t>(tokens));
    for (auto& id : ids)
      id = static_cast<int32_t>(rng_.below(static_cast<uint64_t>(config().vocabulary)));
    return ids;
  }

  // Tokens a second of all requests together, while all of them decode: from the moment that the
  // last one has its first token until the first one has its last. Prompts are not in it.
  Result<double> full_batch_rate(const std::vector<engine::AdapterSourcePtr>& adapters,
                                 int64_t prompt_tokens = kPrompt) {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<bool> started(adapters.size());
    size_t starts = 0, finished = 0;
    int64_t begin_ns = 0, end_ns = 0, tokens = 0;
    for (size_t i = 0; i < adapters.size(); ++i) {
      engine::Request request;
      request.prompt = prompt(prompt_tokens);
      request.registered = adapters[i];
      request.sampling.temperature = 0;
      // The end of text must not end a benchmark.
      request.sampling.logit_bias = {{loaded_.base->tokenizer().eos(), -100.0f}};
      if (loaded_.base->tokenizer().eos() < 0) request.sampling.logit_bias.clear();
      // Prompts are read between steps of those that already decode: the first must not end before
      // the last begins.
      request.tokens_max = kAnswer + 2 * (std::ssize(adapters) - 1);
      request.sink = [&, i](const engine::Event& event) {
        const std::lock_guard lock(mutex);
        const int64_t now = system_clock().monotonic_ns();
        if (begin_ns != 0 && end_ns == 0 && event.id >= 0) ++tokens;
        if (event.finished && finished++ == 0) end_ns = now;
        if (!started[i]) {
          started[i] = true;
          if (++starts == started.size()) begin_ns = now;
        }
        changed.notify_one();
      };
      PLINTH_TRY(engine_->submit(std::move(request)));
    }
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return finished == adapters.size(); });
    if (begin_ns == 0 || end_ns <= begin_ns)
      return make_error(Code::kFailedPrecondition,
                        "{} sequences never decoded all at once: one ended before the last began",
                        adapters.size());
    return static_cast<double>(tokens) / (static_cast<double>(end_ns - begin_ns) * 1e-9);
  }

  Result<double> decode_rate(const std::vector<engine::AdapterSourcePtr>& adapters) {
    std::vector<double> rates;
    for (int64_t i = 0; i <= options_.repeats; ++i) {
      PLINTH_TRY(const double rate, full_batch_rate(adapters));
      if (i > 0) rates.push_back(rate);  // the first round warms up
    }
    return median(rates);
  }

  Result<std::vector<Row>> decode() {
    PLINTH_TRY(const double rate, decode_rate({nullptr}));
    return std::vector<Row>{{"decode, batch 1", rate, "tokens/s", decode_bound(1)}};
  }

  Result<std::vector<Row>> batch() {
    std::vector<Row> rows;
    for (const int64_t n : {1, 2, 4, 8, 16}) {
      PLINTH_TRY(const double rate,
                 decode_rate(std::vector<engine::AdapterSourcePtr>(static_cast<size_t>(n))));
      rows.push_back({fmt::format("decode, batch {}", n), rate, "tokens/s", decode_bound(n)});
    }
    return rows;
  }

  Result<std::vector<Row>> prefill() {
    const int64_t tokens = std::min<int64_t>(512, config().context);
    std::vector<double> rates;
    for (int64_t i = 0; i <= options_.repeats; ++i) {
      engine::ScoreRequest request;
      request.tokens = prompt(tokens);
      request.first_scored = tokens - 1;  // one row of logits, as a chat needs
      const Stopwatch watch;
      PLINTH_TRY(engine_->score({request}));
      if (i > 0) rates.push_back(static_cast<double>(tokens) / watch.seconds());
    }
    return std::vector<Row>{{fmt::format("prefill, {} tokens", tokens), median(rates), "tokens/s",
                             arithmetic_bound(0)}};
  }

  // Batches whose rows all have an adapter beside the same batches without: of_bound is the share
  // of its speed that a batch keeps.
  Result<std::vector<Row>> lora() {
    const std::vector<int64_t> batches = options_.sequences > 0
                                             ? std::vector<int64_t>{options_.sequences}
                                             : std::vector<int64_t>{8, 64};
    std::vector<engine::AdapterSourcePtr> adapters;
    for (int i = 0; i < batches.back(); ++i) {
      PLINTH_TRY(adapters.emplace_back(), engine_->adapters().add(random_adapter(i)));
    }
    std::vector<Row> rows;
    for (const int64_t n : batches) {
      const auto count = static_cast<size_t>(n);
      const std::vector<engine::AdapterSourcePtr> kinds[] = {
          {count, nullptr}, {count, adapters.front()}, {adapters.begin(), adapters.begin() + n}};
      std::vector<double> rates[std::size(kinds)];
      // In turns, because the memory's speed changes by the minute; the first round warms up.
      for (int64_t round = 0; round <= options_.repeats; ++round) {
        for (size_t kind = 0; kind < std::size(kinds); ++kind) {
          PLINTH_TRY(const double rate, full_batch_rate(kinds[kind]));
          if (round > 0) rates[kind].push_back(rate);
        }
      }
      const double none = median(rates[0]), same = median(rates[1]), mixed = median(rates[2]);
      rows.push_back(
          {fmt::format("{} sequences, no adapter", n), none, "tokens/s", decode_bound(n)});
      rows.push_back({fmt::format("{} sequences, the same adapter", n), same, "tokens/s", none});
      rows.push_back(
          {fmt::format("{0} sequences, {0} different adapters", n), mixed, "tokens/s", none});
    }
    return rows;
  }

  // How a step grows: with the context of one sequence, and with the number of adapters in a batch
  // of 256, against the first row of each. One round: what is looked for are factors.
  Result<std::vector<Row>> growth() {
    std::vector<Row> rows;
    const auto add = [&rows](std::string name, double rate, double first) {
      rows.push_back({std::move(name), 1000.0 / rate, "ms", first});
    };
    PLINTH_TRY(full_batch_rate({nullptr}));  // warm
    double first = 0;
    for (const int64_t context : {64, 1024, 4096, 16384, 32704}) {
      if (context > options_.context || context + kAnswer > config().context) break;
      PLINTH_TRY(const double rate, full_batch_rate({nullptr}, context));
      if (first == 0) first = 1000.0 / rate;
      add(fmt::format("a token after {} others", context), rate, first);
    }
    std::vector<engine::AdapterSourcePtr> adapters;
    for (int i = 0; i < options_.adapters; ++i) {
      PLINTH_TRY(adapters.emplace_back(), engine_->adapters().add(random_adapter(i)));
    }
    first = 0;
    for (const size_t different : {1, 4, 16, 64, 256}) {
      if (different > adapters.size()) break;
      std::vector<engine::AdapterSourcePtr> of_each(kCrowd);
      for (size_t i = 0; i < of_each.size(); ++i) of_each[i] = adapters[i % different];
      PLINTH_TRY(full_batch_rate(of_each, 8));  // loads them
      PLINTH_TRY(const double rate, full_batch_rate(of_each, 8));
      const double steps = rate / static_cast<double>(kCrowd);
      if (first == 0) first = 1000.0 / steps;
      add(fmt::format("a step of {} tokens, {} adapters", kCrowd, different), steps, first);
    }
    return rows;
  }

  // Rank-r matrices on every linear layer, small random values, as F16: what adapters come in.
  engine::AdapterSource random_adapter(int number) {
    auto adapter = std::make_shared<model::Adapter>();
    auto values = std::make_shared<std::vector<std::vector<uint16_t>>>();
    adapter->name = fmt::format("bench-{}", number);
    adapter->digest = sha256_hex(adapter->name);
    adapter->layers.resize(static_cast<size_t>(config().layers));
    std::vector<float> floats;
    const auto random_weight = [&](int64_t rows, int64_t cols) {
      floats.resize(static_cast<size_t>(rows * cols));
      for (float& x : floats) x = static_cast<float>(0.01 * (rng_.uniform() - 0.5));
      auto& halves = values->emplace_back(floats.size());
      tensor::from_f32(floats.data(), rows * cols, tensor::DType::kF16, halves.data());
      return tensor::Weight{halves.data(), tensor::DType::kF16, rows, cols};
    };
    for (auto& layer : adapter->layers) {
      for (int i = 0; i < model::kLinears; ++i) {
        const auto which = static_cast<model::Linear>(i);
        auto& delta = layer[static_cast<size_t>(i)];
        delta.a = random_weight(options_.rank, config().inputs(which));
        delta.b = random_weight(config().outputs(which), options_.rank);
        delta.rank = options_.rank;
        delta.scale = 1.0f;
      }
    }
    adapter->storage = values;
    return {adapter->name, adapter->digest,
            [adapter]() -> Result<std::shared_ptr<const model::Adapter>> {
              return std::shared_ptr<const model::Adapter>(adapter);
            }};
  }

  Result<std::vector<Row>> tokenize() {
    // What the model itself would write: text of its own distribution.
    engine::Request request;
    request.prompt = prompt(8);
    request.tokens_max = config().context / 2;
    request.sampling.seed = 1;
    PLINTH_TRY(const auto answer, engine_->generate(std::move(request)));
    std::string text;
    while (text.size() < (size_t{4} << 20)) text += answer.text + "\n";
    return tokenize_rows(loaded_.base->tokenizer(), text, options_.repeats);
  }

  Options options_;
  Loaded loaded_;
  Machine machine_;
  std::unique_ptr<engine::Engine> engine_;
  Rng rng_{1};
};

void print(const Machine& machine, const std::vector<Row>& rows, bool json) {
  if (json) {
    Json list = Json::array();
    for (const auto& row : rows)
      list.push_back({{"name", row.name},
                      {"value", row.value},
                      {"unit", row.unit},
                      {"bound", row.bound > 0 ? Json(row.bound) : Json()},
                      {"of_bound", row.bound > 0 ? Json(row.value / row.bound) : Json()}});
    fmt::print("{}\n", to_text({{"machine", to_json(machine)}, {"rows", list}}));
    return;
  }
  fmt::print("{}: {} threads, {}, {:.1f} GB/s, {:.0f} GFLOP/s", machine.cpu, machine.threads,
             machine.simd, machine.read_gb_per_s, machine.gflop_per_s);
  if (machine.byte_gop_per_s > 0) fmt::print(", {:.0f} GOP/s of bytes", machine.byte_gop_per_s);
  fmt::print("\n");
  for (const auto& row : rows) {
    fmt::print("{:<36} {:>10.1f} {}", row.name, row.value, row.unit);
    if (row.bound > 0) fmt::print("   {:5.1f} % of {:.1f}", 100 * row.value / row.bound, row.bound);
    fmt::print("\n");
  }
}

Status run(const Options& options, const Context& context) {
  uninstall_interrupt_handler();
  // A tokenizer needs no engine, and a tokenizer file has none.
  if (options.name == "tokenize" && !options.file.empty()) {
    PLINTH_TRY(const auto tokenizer, open_tokenizer(options.model, context.home));
    PLINTH_TRY(const auto text, read_file(options.file));
    PLINTH_TRY(const auto rows, tokenize_rows(*tokenizer, text, options.repeats));
    print(measure_machine(), rows, context.json);
    return {};
  }
  PLINTH_TRY(auto bench, Bench::open(options, context));
  PLINTH_TRY(const auto rows, bench.run());
  print(bench.machine(), rows, context.json);
  return {};
}

}  // namespace

void add_bench(Command& root, const Context& context) {
  auto bench =
      root.add("bench", "measure, beside the machine's own limit", "plinth bench lora --json");
  const auto add = [&](const std::string& name, const std::string& help) {
    auto options = std::make_shared<Options>();
    options->name = name;
    auto command = bench.add(name, help, "plinth bench " + name + " --json");
    command.option("--model", options->model, "a name, a path, or base+adapter");
    command.option("--repeats", options->repeats, "rounds after the warm-up; the median is shown",
                   1, 1000);
    if (name == "lora" || name == "growth")
      command.option("--rank", options->rank, "rank of the adapters", 1, 256);
    if (name == "growth") {
      command.option("--context", options->context,
                     "the longest of 64, 1024, 4096, 16384, 32704 tokens; the last takes minutes",
                     64, 32704);
      command.option("--adapters", options->adapters,
                     "the most of 1, 4, 16, 64, 256 adapters; 0: only contexts", 0, 256);
    }
    if (name == "lora")
      command.option("--sequences", options->sequences, "of a batch, instead of 8 and 64", 1, 64);
    options->kv.add_to(command);
    if (name == "tokenize")
      command.option("--file", options->file,
                     "the text; the model may then be a tokenizer.json or tokenizer.model");
    command.action([options, &context] { return run(*options, context); });
  };
  add("decode", "one sequence");
  add("prefill", "a prompt of 512 tokens");
  add("batch", "1 to 16 sequences at once");
  add("lora", "8 and 64 sequences with no, the same and different adapters");
  add("growth", "a step with longer contexts and with more adapters");
  add("tokenize", "text to tokens and back");
  add_bench_tune(bench, context);
  add_bench_refine(bench, context);
  add_bench_serve(bench, context);
}

}  // namespace plinth::cli
