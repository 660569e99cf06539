// How the trainer attends: sequences packed behind each other, causal inside their own segment,
// with the softmax denominators kept for the backward pass.
#pragma once

#include <cstdint>
#include <span>

#include "model/decoder.h"
#include "tensor/ops.h"

namespace plinth::train {

class PackedAttention : public model::AttentionSeam {
 public:
  // `segment_starts` (as in Ops::attention) outlives the forward pass it is used for.
  PackedAttention(const tensor::Ops& ops, const tensor::AttentionShape& shape,
                  std::span<const int32_t> segment_starts)
      : ops_(&ops), shape_(shape), segment_starts_(segment_starts) {}

  void attend(int64_t /*layer*/, model::Activations& a, int64_t rows) override {
    const int64_t kv_cols = shape_.kv_heads * shape_.head_dim;
    const int64_t q_cols = shape_.heads * shape_.head_dim;
    ops_->attention(a.q.as(rows, q_cols), a.k.as(rows, kv_cols), a.v.as(rows, kv_cols),
                    segment_starts_, shape_, a.attended.as(rows, q_cols),
                    a.attended_lse.as(rows, shape_.heads));
  }

 private:
  const tensor::Ops* ops_;  // tables live as long as the process
  tensor::AttentionShape shape_;
  std::span<const int32_t> segment_starts_;
};

}  // namespace plinth::train
