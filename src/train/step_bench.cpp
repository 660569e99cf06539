#include "train/step_bench.h"

#include "core/clock.h"
#include "core/rng.h"
#include "train/math/base_parameters.h"
#include "train/math/lora.h"
#include "train/math/optimizer.h"
#include "train/math/tape.h"
#include "train/metrics_file.h"

namespace plinth::train {
namespace {

using model::Linear;

MicroBatch random_batch(const model::ModelConfig& config, const StepBenchOptions& options) {
  Rng rng(1);
  const auto token = [&] {
    return static_cast<int32_t>(rng.below(static_cast<uint64_t>(config.vocabulary)));
  };
  const auto weight = 1.0f / static_cast<float>(options.sequences * options.tokens);
  MicroBatch batch;
  batch.segment_starts.push_back(0);
  for (int64_t s = 0; s < options.sequences; ++s) {
    for (int64_t i = 0; i < options.tokens; ++i) {
      batch.tokens.push_back(token());
      batch.targets.push_back(token());
      batch.positions.push_back(static_cast<int32_t>(i));
      batch.weights.push_back(weight);
    }
    batch.segment_starts.push_back(static_cast<int32_t>(batch.rows()));
  }
  return batch;
}

// Per token: a matrix takes two operations an element forward, two for the gradient to its input,
// two for its own. Causal attention meets half the other tokens, with two products forward and five
// back. A frozen first block needs no gradient to its input.
double flop_of_step(const model::ModelConfig& config, const StepBenchOptions& options) {
  const auto product = [](int64_t rows, int64_t cols) {
    return 2.0 * static_cast<double>(rows) * static_cast<double>(cols);
  };
  double per_token = product(config.vocabulary, config.width) * (options.full ? 3 : 2);
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    for (int i = 0; i < model::kLinears; ++i) {
      const auto which = static_cast<Linear>(i);
      const bool lowest =
          layer == 0 && (which == Linear::kQ || which == Linear::kK || which == Linear::kV);
      const double base = product(config.outputs(which), config.inputs(which));
      per_token += options.full ? 3 * base : (lowest ? 1 : 2) * base;
      if (!options.full)
        per_token += 3 * product(options.rank, config.outputs(which) + config.inputs(which));
    }
    per_token += 7 * product(config.heads * config.head_dim, options.tokens) / 2;
  }
  return per_token * static_cast<double>(options.sequences * options.tokens);
}

// Whatever learns, behind one face.
struct Learner {
  std::unique_ptr<Lora> lora;
  std::shared_ptr<BaseParameters> base;
  ModelGradients gradients;
  std::shared_ptr<const model::Model> model;

  Parameters& parameters() { return lora ? lora->parameters() : base->parameters(); }

  Trainable trainable() { return {.base = base ? &gradients : nullptr, .adapter = lora.get()}; }
};

Learner make_learner(const std::shared_ptr<const model::Model>& base,
                     const StepBenchOptions& options) {
  Learner learner;
  if (options.full) {
    learner.base = std::make_shared<BaseParameters>(base->config());
    learner.base->initialise(1);
    learner.gradients = learner.base->gradients();
    learner.model =
        model::Model::assemble(base->config(), learner.base->weights(), nullptr, "", learner.base);
    return learner;
  }
  learner.model = base;
  learner.lora = std::make_unique<Lora>(
      tensor::exact_ops(), base->config(),
      LoraOptions{.rank = options.rank, .alpha = 2.0 * static_cast<double>(options.rank)});
  learner.lora->initialise(1);
  return learner;
}

}  // namespace

Result<StepBench> bench_step(const std::shared_ptr<const model::Model>& base,
                             const StepBenchOptions& options) {
  const auto& config = base->config();
  PLINTH_TRY(check_trainable(config));
  if (options.tokens > config.context)
    return invalid("sequences of {} tokens do not fit the base's context of {}", options.tokens,
                   config.context);
  Learner learner = make_learner(base, options);
  Tape tape(*learner.model, tensor::exact_ops());
  Optimizer optimizer(tensor::exact_ops(), learner.parameters(), {.clip = 1.0});
  const MicroBatch batch = random_batch(config, options);

  StepBench bench;
  bench.tokens = batch.rows();
  bench.flop = flop_of_step(config, options);
  for (int64_t i = 0; i <= options.repeats; ++i) {  // the first warms up
    const Stopwatch watch;
    bench.loss = tape.forward_backward(batch, learner.trainable());
    optimizer.step(learner.parameters(), 1e-4);
    if (i > 0) bench.seconds.push_back(watch.seconds());
  }
  bench.peak_bytes = peak_resident_bytes();
  return bench;
}

}  // namespace plinth::train
