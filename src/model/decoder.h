// The forward pass: into the first block, through a block, out of the last one. Written once for
// the engine and the trainer; it asks the config's flags and never which architecture it is.
//
// The caller owns the activations. The engine passes the same Activations for every layer (they are
// scratch); the trainer passes one per layer and thereby has its tape. Attention and adapters are
// seams, because the two callers differ there: paged and segmented in the engine, packed with a
// saved softmax in the trainer.
#pragma once

#include <cstdint>
#include <span>

#include "model/model.h"
#include "tensor/ops.h"

namespace plinth::model {

// What a block computed, in order; R rows. Everything the backward pass needs.
struct Activations {
  tensor::Buffer attention_in;   // [R, width]  norm of the block's input
  tensor::Buffer attention_rms;  // [R]         unused with LayerNorm
  tensor::Buffer q_raw, k_raw;   // [R, heads*hd], [R, kv_heads*hd]: what q/k norm reads; unused
                                 // without
  tensor::Buffer q_rms, k_rms;   // [R * heads], [R * kv_heads]
  tensor::Buffer q, k, v;        // after norm and RoPE
  tensor::Buffer attended;       // [R, heads*hd]
  tensor::Buffer attended_lse;   // [R, heads]
  tensor::Buffer middle;         // [R, width]  after the attention residual
  tensor::Buffer ffn_in;         // [R, width]
  tensor::Buffer ffn_rms;        // [R]
  tensor::Buffer gate, up;       // [R, ffn]    gate unused without one
  tensor::Buffer active;         // [R, ffn]    silu(gate) * up, or gelu(up)

  // Bytes held by all buffers.
  int64_t bytes() const;
  // Exchanges the memory of attention_in, ffn_in and active with another block's: restore_block()
  // computes them anew at the price of no product, so a tape needs them only once.
  void exchange_restorable(Activations& other);
};

// How a block attends. q, k, v as in Activations; writes attended (and attended_lse when it keeps
// it).
class AttentionSeam {
 public:
  virtual ~AttentionSeam() = default;
  virtual void attend(int64_t layer, Activations& activations, int64_t rows) = 0;
};

// A linear layer's y [R, outputs].
struct LinearResult {
  Linear which;
  tensor::Matrix y;
};

// Adds adapters' deltas to the rows they concern.
class AdapterSeam {
 public:
  virtual ~AdapterSeam() = default;
  // After y = x W^T of every linear layer.
  virtual void add(int64_t layer, Linear which, tensor::ConstMatrix x, tensor::Matrix y) = 0;

  // The same after all layers that have x in common.
  virtual void add_shared(int64_t layer, tensor::ConstMatrix x,
                          std::span<const LinearResult> results) {
    for (const auto& [which, y] : results) add(layer, which, x, y);
  }

  // After x [R, width] = the tokens' embeddings.
  virtual void add_embedding(std::span<const int32_t> tokens, tensor::Matrix x) = 0;
  // After logits [n, vocabulary] = hidden [n, width] times the head, of the batch's rows `rows`,
  // which ascend.
  virtual void add_head(std::span<const int32_t> rows, tensor::ConstMatrix hidden,
                        tensor::Matrix logits) = 0;
};

struct BlockInput {
  const Model* model = nullptr;
  const tensor::Ops* ops = nullptr;
  int64_t layer = 0;
  std::span<const int32_t> positions;  // [R]
  AttentionSeam* attention = nullptr;
  AdapterSeam* adapters = nullptr;  // null: the plain base
};

// x [R, width] = the tokens' embeddings, and what learned positions add to them.
void embed_tokens(const Model& model, const tensor::Ops& ops, std::span<const int32_t> tokens,
                  std::span<const int32_t> positions, tensor::Matrix x);

// x [R, width] += an adapter's delta of the embedding; an empty one adds nothing. A row's result
// is as independent of the others as that of ops.linear.
void add_embedding_delta(const tensor::Ops& ops, const LowRank& delta,
                         std::span<const int32_t> tokens, tensor::Matrix x);

// y = the norm before the head. x and y [R, width] may alias; inverse_rms as in Ops::rms_norm.
void final_norm(const Model& model, const tensor::Ops& ops, tensor::ConstMatrix x, tensor::Matrix y,
                float* inverse_rms);

// out [R, width] = block(x [R, width]). x and out may alias. out without data: the block's last
// product is left out, the activations are all there.
void block_forward(const BlockInput& input, tensor::ConstMatrix x, Activations& activations,
                   tensor::Matrix out);

// What block_forward() with the same input left in attention_in, ffn_in and active, bit for bit,
// from x and the rest of the activations.
void restore_block(const BlockInput& input, tensor::ConstMatrix x, Activations& activations);

}  // namespace plinth::model
