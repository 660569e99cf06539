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

// What a delta is multiplied by.
enum class LoraScaling : uint8_t {
  kStandard,  // alpha / rank
  // alpha / sqrt(rank): the size of what is learnt does not shrink as the rank grows. Source:
  // Kalajdzievski, "A Rank Stabilization Scaling Factor for Fine-Tuning with LoRA", 2023.
  kRankStabilised,
};

struct LoraOptions {
  int64_t rank = 16;
  double alpha = 32;
  std::array<bool, model::kLinears> targets = {true, true, true, true, true, true, true};
  // The tables: each for itself, even where the base's head is its embedding.
  bool embedding = false;
  bool head = false;
  LoraScaling scaling = LoraScaling::kStandard;
  // B learns so many times faster than A. Source: Hayou et al., "LoRA+: Efficient Low Rank
  // Adaptation of Large Models", ICML 2024.
  double b_rate = 1;
};

// Can an adapter of a base have these targets? Layers that the base lacks are passed over, but
// kInvalidArgument when none is left, or when q, k and v are one layer there and only some are
// named.
Status check_targets(const model::ModelConfig& base, const LoraOptions& options);

class Lora : public AdapterBackwardSeam {
 public:
  // All values are zero: a delta of nothing. The options passed check_targets().
  Lora(const tensor::Ops& ops, const model::ModelConfig& base, const LoraOptions& options);

  // As PEFT does: A uniform in +-1/sqrt(inputs) (Kaiming with a = sqrt(5)), B zero; of the
  // embedding A zero, B normal.
  void initialise(uint64_t seed);

  // The values of an adapter of the same rank and targets.
  Status copy_from(const model::Adapter& adapter);

  Parameters& parameters() { return parameters_; }

  // The delta counts `strength` times its full scale from now on.
  void set_strength(double strength);

  // Views of the present values: valid as long as this object, and changing with it.
  model::Adapter view();

  void add(int64_t layer, model::Linear which, tensor::ConstMatrix x, tensor::Matrix y) override;
  void add_backward(int64_t layer, model::Linear which, tensor::ConstMatrix x,
                    tensor::ConstMatrix dy, tensor::Matrix dx) override;
  void add_embedding(std::span<const int32_t> tokens, tensor::Matrix x) override;
  void add_head(std::span<const int32_t> rows, tensor::ConstMatrix hidden,
                tensor::Matrix logits) override;

  bool learns_embedding() const override { return embedding_.a >= 0; }

  void add_embedding_backward(std::span<const int32_t> tokens, tensor::ConstMatrix d) override;
  void add_head_backward(std::span<const int32_t> rows, tensor::ConstMatrix hidden,
                         tensor::ConstMatrix dlogits, tensor::Matrix dhidden) override;

 private:
  struct Slot {
    // Index of the parameter [rank, inputs]; -1: not targeted. Fused q, k and v share theirs.
    int64_t a = -1;
    int64_t b = -1;       // [outputs, rank]
    tensor::Buffer kept;  // scale * x A^T of the last forward pass, [R, rank]
  };

  void add(Slot& slot, tensor::ConstMatrix x, tensor::Matrix y);
  void add_backward(Slot& slot, tensor::ConstMatrix x, tensor::ConstMatrix dy, tensor::Matrix dx);
  model::LowRank view_of(const Slot& slot);
  Status copy_to(const Slot& slot, const model::LowRank& from, const std::string& what);

  Slot& slot(int64_t layer, model::Linear which) {
    return slots_[static_cast<size_t>(layer)][static_cast<size_t>(which)];
  }

  const tensor::Ops* ops_;  // tables live as long as the process
  int64_t rank_;
  double full_scale_;
  float scale_;
  Parameters parameters_;
  std::vector<std::array<Slot, model::kLinears>> slots_;
  Slot embedding_;  // A [vocabulary, rank], a row a token
  Slot head_;
  tensor::Buffer gradient_;  // to x A^T
};

}  // namespace plinth::train
