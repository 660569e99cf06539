// The backward pass of model::block_forward, over the Activations that it left behind.
//
// Gradients to weights are sums (+=); a null matrix or pointer means that weight is frozen, and
// then nothing is computed for it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "core/result.h"
#include "model/decoder.h"
#include "model/model.h"
#include "tensor/ops.h"

namespace plinth::train {

// Where a block's weight gradients go, shaped like model::LayerWeights.
struct BlockGradients {
  std::array<tensor::Matrix, model::kLinears> linear = {};
  std::array<float*, model::kLinears> bias = {};
  float* attention_norm = nullptr;
  float* attention_norm_bias = nullptr;
  float* ffn_norm = nullptr;
  float* ffn_norm_bias = nullptr;
  float* q_norm = nullptr;
  float* k_norm = nullptr;
};

struct ModelGradients {
  tensor::Matrix embedding;
  tensor::Matrix head;            // the embedding's when tied
  tensor::Matrix position_table;  // learned positions only
  float* final_norm = nullptr;
  float* final_norm_bias = nullptr;
  std::vector<BlockGradients> layers;
};

// The other half of model::AdapterSeam: adds to the adapter's own gradients.
class AdapterBackwardSeam : public model::AdapterSeam {
 public:
  // Of a linear layer, given dy. Adds to dx, too, unless dx.data is null: nobody below wants it.
  virtual void add_backward(int64_t layer, model::Linear which, tensor::ConstMatrix x,
                            tensor::ConstMatrix dy, tensor::Matrix dx) = 0;
  // Does anything below the first block learn? Only then is d brought down to there.
  virtual bool learns_embedding() const = 0;
  // d [R, width]: the gradient to the tokens' embeddings.
  virtual void add_embedding_backward(std::span<const int32_t> tokens, tensor::ConstMatrix d) = 0;
  // Of the rows that add_head() had last; adds to dhidden, too.
  virtual void add_head_backward(std::span<const int32_t> rows, tensor::ConstMatrix hidden,
                                 tensor::ConstMatrix dlogits, tensor::Matrix dhidden) = 0;
};

// Memory of one block's backward pass, reused from block to block.
struct BackwardScratch {
  tensor::Buffer width_like;      // [R, width]
  tensor::Buffer ffn_like;        // [R, ffn]
  tensor::Buffer attended_like;   // [R, heads*hd]
  tensor::Buffer dq, dk, dv;      // like q, k, v
  tensor::Buffer dq_raw, dk_raw;  // like q_raw, k_raw; unused without q/k norm

  int64_t bytes() const;
};

struct BlockBackward {
  const model::Model* model = nullptr;
  const tensor::Ops* ops = nullptr;
  int64_t layer = 0;
  std::span<const int32_t> positions;         // [R]
  std::span<const int32_t> segment_starts;    // packed sequences, as in Ops::attention
  const BlockGradients* gradients = nullptr;  // null: the base is frozen
  AdapterBackwardSeam* adapters = nullptr;    // null: none
  // false: whatever lies below has nothing to learn, so d is not brought down to x.
  bool input_gradient = true;
};

// The backward pass of model::final_norm: dx += ..., and the gradients of the norm's own weights
// unless they are null.
void final_norm_backward(const model::Model& model, const tensor::Ops& ops, tensor::ConstMatrix x,
                         const float* inverse_rms, tensor::ConstMatrix dy, tensor::Matrix dx,
                         const ModelGradients* gradients);

// The backward pass of model::embed_tokens.
void embed_backward(const tensor::Ops& ops, std::span<const int32_t> tokens,
                    std::span<const int32_t> positions, tensor::ConstMatrix d,
                    const ModelGradients& gradients);

// d [R, width]: the gradient to the block's output comes in, the gradient to x goes out.
// The tape is used up: activations.gate and .up are overwritten.
void block_backward(const BlockBackward& input, tensor::ConstMatrix x,
                    model::Activations& activations, BackwardScratch& scratch, tensor::Matrix d);

}  // namespace plinth::train
