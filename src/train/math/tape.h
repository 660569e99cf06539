// One micro-batch through the model: forward with the layers' activations kept, loss, backward.
// The tape owns that memory and reuses it; it grows to the largest micro-batch seen.
//
// What a product gives is kept; norms and the gated activation are computed anew in the backward
// pass, which is a third of the memory for a hundredth of the time. Of the first
// `recomputed_layers` blocks only the input is kept: the backward pass runs them again, bit for
// bit, for two thirds of a forward pass.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/decoder.h"
#include "model/model.h"
#include "train/math/backward.h"
#include "train/math/loss.h"

namespace plinth::train {

// math/noise.h
struct SegmentNoise {
  double alpha = 0;  // 0: none
  uint64_t seed = 0;
};

// Rows of packed sequences; all vectors up to weights have one entry per row.
struct MicroBatch {
  std::vector<int32_t> tokens;
  std::vector<int32_t> positions;       // restart in every segment
  std::vector<int32_t> targets;         // the next token, or -1 where no loss is wanted
  std::vector<float> weights;           // factor of each row's loss
  std::vector<int32_t> segment_starts;  // as in Ops::attention: ends with the row count
  // Where the rows of another adapter begin, when several share the batch (fused.h); or none.
  std::vector<int32_t> part_starts = {};
  // Learn what the model says without the adapter, not the targets: keeps it where it was.
  bool anchored = false;
  std::vector<int64_t> samples = {};     // that the segments are, by number
  std::vector<SegmentNoise> noise = {};  // of each segment's embeddings while training; or none

  int64_t rows() const { return static_cast<int64_t>(tokens.size()); }
};

// What learns. Either may be null; gradients are added to.
struct Trainable {
  const ModelGradients* base = nullptr;
  AdapterBackwardSeam* adapter = nullptr;
};

// An objective that looks at whole samples before it knows what their rows weigh.
class RowObjective {
 public:
  virtual ~RowObjective() = default;
  // policy, reference [R]: log p(target) with and without the adapter, 0 in rows without a target.
  // Writes each row's weight [R]: the slope of the objective over the row's -log p. Returns the
  // objective's value.
  virtual double weigh(const MicroBatch& batch, std::span<const float> policy,
                       std::span<const float> reference, std::span<float> weights) = 0;
};

class Tape {
 public:
  // `model` and `ops` outlive the tape. The model's weights may change between calls.
  Tape(const model::Model& model, const tensor::Ops& ops, int64_t recomputed_layers = 0);

  // Returns the sum of weight * loss over the rows and adds its gradients to `trainable`.
  // With an objective, of which the rows' weights come, its value and gradients instead; only an
  // adapter can learn then, since the reference is the model without it.
  double forward_backward(const MicroBatch& batch, const Trainable& trainable,
                          RowObjective* objective = nullptr);

  // Of the last forward_backward(): each row's loss without its weight, 0 without a target.
  std::span<const float> row_losses() const { return row_losses_; }

  // The same sum without gradients; one layer's activations are enough.
  double loss(const MicroBatch& batch, model::AdapterSeam* adapter,
              RowObjective* objective = nullptr);

  int64_t bytes() const;
  // What bytes() will be after forward_backward() of `rows` rows, all with loss, at most, over a
  // head of that type.
  static int64_t bytes_of(const model::ModelConfig& config, tensor::DType head, int64_t rows,
                          int64_t recomputed_layers);
  // What loss() of `rows` rows holds of it, without the chunks of ChunkedLoss.
  static int64_t measuring_bytes_of(const model::ModelConfig& config, int64_t rows);

 private:
  tensor::ConstMatrix forward(const MicroBatch& batch, model::AdapterSeam* adapter, bool keep);
  model::Activations& activations_of(int64_t layer);
  void recompute(const model::BlockInput& input);
  // log p(target) by row.
  void log_probabilities(const MicroBatch& batch, model::AdapterSeam* adapter,
                         tensor::ConstMatrix hidden, std::vector<float>& out);

  const model::Model* model_;
  const tensor::Ops* ops_;
  ChunkedLoss loss_;
  int64_t recomputed_layers_;
  std::vector<tensor::Buffer> inputs_;  // of each layer, and the output of the last: [R, width]
  // One for all recomputed layers, then one for each other. The restorable part wanders along:
  // only one layer has it.
  std::vector<model::Activations> activations_;
  std::vector<float> row_losses_;
  tensor::Buffer hidden_, hidden_rms_;               // after the final norm
  tensor::Buffer anchor_;                            // the same without the adapter
  std::vector<float> policy_, reference_, weights_;  // what an objective reads and writes
  tensor::Buffer d_, dhidden_;
  BackwardScratch scratch_;
};

}  // namespace plinth::train
