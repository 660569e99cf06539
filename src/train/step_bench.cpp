#include "train/step_bench.h"

#include "core/clock.h"
#include "core/rng.h"
#include "train/math/base_parameters.h"
#include "train/math/dpo.h"
#include "train/math/fused.h"
#include "train/math/lora.h"
#include "train/math/optimizer.h"
#include "train/math/tape.h"
#include "train/metrics_file.h"

namespace plinth::train {
namespace {

using model::Linear;

// beta of the preference loss; it costs nothing, whatever it is.
constexpr double kBeta = 0.1;

int64_t sequences_of(const StepBenchOptions& options) {
  return options.adapters * options.sequences * (options.dpo ? 2 : 1);
}

MicroBatch random_batch(const model::ModelConfig& config, const StepBenchOptions& options) {
  Rng rng(1);
  const auto token = [&] {
    return static_cast<int32_t>(rng.below(static_cast<uint64_t>(config.vocabulary)));
  };
  const auto weight = 1.0f / static_cast<float>(options.sequences * options.tokens);
  MicroBatch batch;
  batch.segment_starts.push_back(0);
  for (int64_t s = 0; s < sequences_of(options); ++s) {
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
// back. A frozen first block needs no gradient to its input. Preferences take another pass forward,
// without the adapter.
double flop_of_step(const model::ModelConfig& config, const StepBenchOptions& options) {
  const auto product = [](int64_t rows, int64_t cols) {
    return 2.0 * static_cast<double>(rows) * static_cast<double>(cols);
  };
  const double reference = options.dpo ? 1 : 0;
  double per_token = product(config.vocabulary, config.width) * (options.full ? 3 : 2 + reference);
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    for (int i = 0; i < model::kLinears; ++i) {
      const auto which = static_cast<Linear>(i);
      const bool lowest =
          layer == 0 && (which == Linear::kQ || which == Linear::kK || which == Linear::kV);
      const double base = product(config.outputs(which), config.inputs(which));
      per_token += options.full ? 3 * base : ((lowest ? 1 : 2) + reference) * base;
      if (!options.full)
        per_token += 3 * product(options.rank, config.outputs(which) + config.inputs(which));
    }
    per_token += (7 + 2 * reference) * product(config.heads * config.head_dim, options.tokens) / 2;
  }
  return per_token * static_cast<double>(sequences_of(options) * options.tokens);
}

// All weights of a base of the same shape, or adapters over the base.
class Learners {
 public:
  Learners(const std::shared_ptr<const model::Model>& base, const StepBenchOptions& options)
      : model_(base) {
    const auto& ops = tensor::exact_ops();
    if (options.full) {
      base_ = std::make_shared<BaseParameters>(base->config());
      base_->initialise(1);
      gradients_ = base_->gradients();
      model_ = model::Model::assemble(base->config(), base_->weights(), nullptr, "", base_);
      add_optimizer(base_->parameters());
      return;
    }
    for (int64_t i = 0; i < options.adapters; ++i) {
      auto& lora = loras_.emplace_back(std::make_unique<Lora>(
          ops, base->config(),
          LoraOptions{.rank = options.rank, .alpha = 2.0 * static_cast<double>(options.rank)}));
      lora->initialise(static_cast<uint64_t>(i + 1));
      fused_.append(lora.get(), options.sequences * options.tokens);
      add_optimizer(lora->parameters());
    }
  }

  const model::Model& model() const { return *model_; }

  Trainable trainable() {
    if (base_) return {.base = &gradients_, .adapter = nullptr};
    return {.base = nullptr,
            .adapter =
                loras_.size() == 1 ? loras_[0].get() : static_cast<AdapterBackwardSeam*>(&fused_)};
  }

  void update() {
    for (auto& [optimizer, parameters] : optimizers_) optimizer->step(*parameters, 1e-4);
  }

  int64_t bytes() const {
    int64_t floats = 0;  // values, gradients, two moments
    for (const auto& [optimizer, parameters] : optimizers_) floats += 4 * parameters->size();
    return floats * static_cast<int64_t>(sizeof(float));
  }

 private:
  void add_optimizer(Parameters& parameters) {
    optimizers_.emplace_back(
        std::make_unique<Optimizer>(tensor::exact_ops(), parameters, OptimizerOptions{.clip = 1.0}),
        &parameters);
  }

  std::shared_ptr<const model::Model> model_;
  std::shared_ptr<BaseParameters> base_;
  ModelGradients gradients_;
  std::vector<std::unique_ptr<Lora>> loras_;
  FusedAdapters fused_;
  std::vector<std::pair<std::unique_ptr<Optimizer>, Parameters*>> optimizers_;
};

}  // namespace

Result<StepBench> bench_step(const std::shared_ptr<const model::Model>& base,
                             const StepBenchOptions& options) {
  const auto& config = base->config();
  if (options.tokens > config.context)
    return invalid("sequences of {} tokens do not fit the base's context of {}", options.tokens,
                   config.context);
  if (options.full && options.adapters != 1)
    return invalid("full training has no adapters, {} were wanted", options.adapters);
  if (options.dpo && (options.full || options.adapters != 1))
    return invalid("preferences are learnt by one adapter, {} were wanted",
                   options.full ? "all weights" : std::to_string(options.adapters));
  const int64_t process = process_bytes();
  Learners learners(base, options);
  const MicroBatch batch = random_batch(config, options);

  StepBench bench;
  bench.tokens = batch.rows();
  bench.flop = flop_of_step(config, options);
  PLINTH_TRY(bench.plan, plan_memory(*base, {.process = process,
                                             .rows = batch.rows(),
                                             .learner = learners.bytes(),
                                             .owns_base = options.full,
                                             .budget = options.memory}));
  Tape tape(learners.model(), tensor::exact_ops(), bench.plan.recomputed_layers);
  PreferenceLoss preference({kBeta, 1.0 / static_cast<double>(options.sequences)});
  for (int64_t i = 0; i <= options.repeats; ++i) {  // the first warms up
    const Stopwatch watch;
    bench.loss =
        tape.forward_backward(batch, learners.trainable(), options.dpo ? &preference : nullptr);
    learners.update();
    if (i > 0) bench.seconds.push_back(watch.seconds());
  }
  bench.peak_bytes = peak_resident_bytes();
  return bench;
}

}  // namespace plinth::train
