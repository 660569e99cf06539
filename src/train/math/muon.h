// Muon: momentum whose matrices are made (nearly) orthogonal before they are added, so that every
// direction of a weight matrix learns at the same pace. A small base reaches the same loss from
// less than half the tokens that AdamW needs (docs/decisions/0004-muon.md).
//
// Sources: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024 (the
// quintic iteration and its coefficients); Liu et al., "Muon is Scalable for LLM Training", 2025
// (the factor that gives its updates the size of AdamW's, so that both share a learning rate).
#pragma once

#include "tensor/ops.h"
#include "tensor/tensor.h"

namespace plinth::train {

class Muon {
 public:
  explicit Muon(const tensor::Ops& ops) : ops_(&ops) {}

  // x [rows, cols] becomes its nearest orthogonal matrix, roughly: singular values end in about
  // [0.7, 1.2], except those below a thousandth of x's norm. A zero matrix stays zero.
  void orthogonalise(tensor::Matrix x);

  // One update with Nesterov momentum and decoupled weight decay. All three are [rows, cols].
  void update(tensor::Matrix weights, tensor::ConstMatrix gradient, tensor::Matrix momentum,
              const tensor::AdamW& hyper);

 private:
  const tensor::Ops* ops_;
  tensor::Buffer gram_, polynomial_, next_, direction_;  // scratch, kept between updates
};

}  // namespace plinth::train
