// plinth bench tune: a training step beside what the machine's multiply-adds allow.
#include "cli/bench_tune.h"

#include <algorithm>

#include "cli/bases.h"
#include "cli/machine.h"
#include "core/bytes.h"
#include "core/interrupt.h"
#include "core/json.h"
#include "train/step_bench.h"

namespace plinth::cli {
namespace {

struct Options {
  std::string model = kEmbeddedBase;
  train::StepBenchOptions step;
  std::string memory;
};

std::string describe(const train::StepBenchOptions& step) {
  std::string what = step.full ? "full training" : fmt::format("LoRA of rank {}", step.rank);
  if (step.dpo) what = fmt::format("preferences, {}", what);
  if (step.adapters > 1) what = fmt::format("{} of {}", step.adapters, what);
  return fmt::format("{}, {} x {} tokens", what, step.sequences * (step.dpo ? 2 : 1), step.tokens);
}

Status run(Options options, const Context& context) {
  uninstall_interrupt_handler();
  if (!options.memory.empty()) {
    PLINTH_TRY(options.step.memory, parse_bytes(options.memory));
  }
  PLINTH_TRY(const auto base, open_base(options.model, context.home));
  PLINTH_TRY(auto step, train::bench_step(base, options.step));
  // After the step: the figure of memory is the step's own.
  const Machine machine = measure_machine();
  std::ranges::sort(step.seconds);
  const double seconds = step.seconds[step.seconds.size() / 2];
  const double rate = static_cast<double>(step.tokens) / seconds;
  const double gflop_per_s = step.flop / seconds * 1e-9;
  const double bound = machine.fma_gflop_per_s * 1e9 / step.flop * static_cast<double>(step.tokens);
  const auto name = describe(options.step);
  if (context.json) {
    fmt::print("{}\n", to_text({{"machine", to_json(machine)},
                                {"rows",
                                 {{{"name", name},
                                   {"value", rate},
                                   {"unit", "tokens/s"},
                                   {"bound", bound},
                                   {"of_bound", rate / bound}}}},
                                {"seconds", step.seconds},
                                {"gflop_per_s", gflop_per_s},
                                {"peak_bytes", step.peak_bytes},
                                {"planned_bytes", step.plan.total()},
                                {"recomputed_layers", step.plan.recomputed_layers},
                                {"loss", step.loss}}));
    return {};
  }
  fmt::print("{}: {} threads, {}, {:.0f} GFLOP/s of float32 multiply-adds\n", machine.cpu,
             machine.threads, machine.simd, machine.fma_gflop_per_s);
  fmt::print("{:<36} {:>10.1f} tokens/s   {:5.1f} % of {:.1f}\n", name, rate, 100 * rate / bound,
             bound);
  fmt::print("{:<36} {:>10.2f} GB, planned {}\n", "most resident memory",
             static_cast<double>(step.peak_bytes) * 1e-9, step.plan.text());
  return {};
}

}  // namespace

void add_bench_tune(Command& bench, const Context& context) {
  auto options = std::make_shared<Options>();
  auto& step = options->step;
  auto command = bench.add("tune", "training steps of random tokens",
                           "plinth bench tune --model BASE --sequences 4 --tokens 256");
  command.option("--model", options->model, "a base's name or path; with --full its shape counts");
  command.option("--sequences", step.sequences, "sequences in a step", 1, 4096);
  command.option("--tokens", step.tokens, "tokens of each", 1, 1 << 20);
  command.option("--rank", step.rank, "rank of the adapter on all linear layers", 1, 256);
  command.option("--adapters", step.adapters, "adapters at once, each on sequences of its own", 1,
                 256);
  command.option("--memory", options->memory,
                 "a budget such as 2GB: layers are computed twice to keep to it");
  command.flag("--dpo", step.dpo, "sequences are pairs, of which one is preferred");
  command.flag("--full", step.full, "train all weights, from random ones");
  command.option("--repeats", step.repeats, "steps after the warm-up; the median is shown", 1,
                 1000);
  command.action([options, &context] { return run(*options, context); });
}

}  // namespace plinth::cli
