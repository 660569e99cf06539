// AdamW over a parameter arena with global-norm clipping. Its state is two arenas like the
// parameters', plus the step count; a checkpoint holds all three.
#pragma once

#include <cstdint>
#include <span>

#include "tensor/ops.h"
#include "tensor/tensor.h"
#include "train/math/parameters.h"

namespace plinth::train {

struct OptimizerOptions {
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0;  // of the parameters laid out with decay
  double clip = 0;          // largest global gradient norm; 0: no clipping
};

class Optimizer {
 public:
  Optimizer(const tensor::Ops& ops, const Parameters& parameters, const OptimizerOptions& options);

  // One update from the accumulated gradients, which are zero afterwards. Returns the global
  // gradient norm before clipping. A norm that is not finite leaves everything unchanged: the step
  // is lost, the weights are not.
  double step(Parameters& parameters, double learning_rate);

  // Updates done so far.
  int64_t steps() const { return steps_; }

  void set_steps(int64_t steps) { steps_ = steps; }

  std::span<float> first_moments() { return m_.span(); }

  std::span<float> second_moments() { return v_.span(); }

 private:
  const tensor::Ops* ops_;
  OptimizerOptions options_;
  int64_t steps_ = 0;
  tensor::Buffer m_, v_;
};

}  // namespace plinth::train
