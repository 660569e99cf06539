// A LoRA adapter that learns: y += scale * (x A^T) B^T on the layers it targets, with x A^T kept
// from the forward pass for the backward pass. Source: Hu et al., "LoRA: Low-Rank Adaptation of
// Large Language Models", ICLR 2022.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "model/model.h"
#include "tensor/ops.h"
#include "train/math/backward.h"
#include "train/math/parameters.h"

namespace plinth::train {

struct LoraOptions {
  int64_t rank = 16;
  double alpha = 32;
  std::array<bool, model::kLinears> targets = {true, true, true, true, true, true, true};
};

class Lora : public AdapterBackwardSeam {
 public:
  // All values are zero: a delta of nothing.
  Lora(const tensor::Ops& ops, const model::ModelConfig& base, const LoraOptions& options);

  // As PEFT does: A uniform in +-1/sqrt(inputs) (Kaiming with a = sqrt(5)), B zero.
  void initialise(uint64_t seed);

  // The values of an adapter of the same rank and targets.
  Status copy_from(const model::Adapter& adapter);

  Parameters& parameters() { return parameters_; }

  // The delta counts `strength` times its alpha from now on.
  void set_strength(double strength);

  // Views of the present values: valid as long as this object, and changing with it.
  model::Adapter view();

  void add(int64_t layer, model::Linear which, tensor::ConstMatrix x, tensor::Matrix y) override;
  void add_backward(int64_t layer, model::Linear which, tensor::ConstMatrix x,
                    tensor::ConstMatrix dy, tensor::Matrix dx) override;

 private:
  struct Slot {
    int64_t a = -1;       // index of the parameter [rank, inputs]; -1: not targeted
    int64_t b = -1;       // [outputs, rank]
    tensor::Buffer kept;  // scale * x A^T of the last forward pass, [R, rank]
  };

  Slot& slot(int64_t layer, model::Linear which) {
    return slots_[static_cast<size_t>(layer)][static_cast<size_t>(which)];
  }

  const tensor::Ops* ops_;  // tables live as long as the process
  int64_t rank_;
  double alpha_;
  float scale_;
  Parameters parameters_;
  std::vector<std::array<Slot, model::kLinears>> slots_;
  tensor::Buffer gradient_;  // to x A^T
};

}  // namespace plinth::train
