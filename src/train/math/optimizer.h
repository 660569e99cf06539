// The optimiser of a parameter arena, with global-norm clipping: AdamW for everything, or Muon for
// the matrices that decay and AdamW for the rest. Its state is two arenas like the parameters',
// plus the step count; a checkpoint holds all three.
#pragma once

#include <cstdint>
#include <span>

#include "tensor/ops.h"
#include "tensor/tensor.h"
#include "train/math/muon.h"
#include "train/math/parameters.h"

namespace plinth::train {

enum class OptimizerKind : uint8_t { kAdamW, kMuon };

struct OptimizerOptions {
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0;  // of the parameters laid out with decay
  double clip = 0;          // largest global gradient norm; 0: no clipping
  OptimizerKind kind = OptimizerKind::kAdamW;
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
  void update(Parameters& parameters, const tensor::AdamW& hyper);
  void update_muon(Parameters& parameters, const tensor::AdamW& hyper);

  const tensor::Ops* ops_;
  OptimizerOptions options_;
  int64_t steps_ = 0;
  tensor::Buffer m_, v_;  // of Muon's matrices only m_ is used
  Muon muon_;
};

}  // namespace plinth::train
