// Cross-entropy of the language-model head in chunks of rows: the logits of a whole batch never
// exist (at 152k words they would be larger than the model). Each chunk's gradient is written while
// its logits are still in the cache; rows without a target never meet the head.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/model.h"
#include "tensor/ops.h"
#include "tensor/tensor.h"
#include "train/math/backward.h"

namespace plinth::train {

struct LossInput {
  tensor::ConstMatrix hidden;             // [R, width] after the final norm
  tensor::Weight head;                    // [vocabulary, width]
  std::span<const int32_t> targets;       // [R], < 0: no loss on this row
  std::span<const float> weights;         // [R] factor of each row's loss and gradient
  model::AdapterSeam* adapter = nullptr;  // adds to the logits; null: none
  // [R, width] of a fixed model, after its final norm; no data: none. With it, with_gradient()
  // pulls each row towards that model's distribution instead of the target: the gradient is that of
  // KL(anchor || softmax(logits)). The value returned stays the targets' cross-entropy.
  tensor::ConstMatrix anchor = {};
  // [R] when wanted: each row's loss without its weight, 0 where there is no target.
  std::span<float> row_losses = {};
  // Rows at which another adapter's begin, ascending: no chunk cuts an adapter's rows elsewhere
  // than it would if they were alone.
  std::span<const int32_t> part_starts = {};
};

class ChunkedLoss {
 public:
  // Logits of `chunk_rows` rows are held at once; 0 chooses: 1024 rows while they take no more than
  // 64 MiB, at least 512, and 256 over a quantised head. Larger chunks spread the packing of the
  // head and the passes over its gradient (width 256, 6,144 words, one core: 61 GFLOP/s at 128
  // rows, 69 at 256, 75 at 512, 91 at 1024, 87 at 2048). Who quantises has little memory: of a step
  // of 512 rows over 0.5B parameters in Q8_0 256 rows are 9 % (156 MB) and cost 2.5 % of the time.
  explicit ChunkedLoss(const tensor::Ops& ops, int64_t chunk_rows = 0)
      : ops_(&ops), chunk_rows_(chunk_rows) {}

  // Returns the sum over rows of weight * loss. dhidden [R, width] is overwritten (zero where there
  // is no target); dhead [vocabulary, width] += unless it is null, and so the gradients of
  // `learner`, which is input.adapter.
  double with_gradient(const LossInput& input, tensor::Matrix dhidden, tensor::Matrix dhead,
                       AdapterBackwardSeam* learner = nullptr);

  // out[r] = log p(target) of each row [R], 0 where there is no target. Weights don't count.
  void log_probabilities(const LossInput& input, std::span<float> out);

  // The sum over rows of weight * loss, no gradients, no row_losses.
  double only(const LossInput& input);

  int64_t bytes() const;
  // What bytes() is after `rows` rows with loss over a head of that type, chunks of the size it
  // chooses, no anchor.
  static int64_t bytes_of(const model::ModelConfig& config, tensor::DType head, int64_t rows);

 private:
  struct Chunk;
  // Finds the rows with a target, and where they are cut into chunks.
  void begin(const LossInput& input);
  // The chunk's logits, with the adapter's part.
  Chunk logits(const LossInput& input, size_t first, size_t rows);
  Chunk gather(const LossInput& input, size_t first, size_t rows);
  void scatter_losses(const LossInput& input, size_t first);
  void subtract_anchor(const LossInput& input, size_t first, const Chunk& chunk);
  int64_t rows_at_once(const tensor::Weight& head) const;

  const tensor::Ops* ops_;
  int64_t chunk_rows_;
  std::vector<int32_t> rows_;  // those with a target
  std::vector<size_t> ends_;   // of the chunks, in rows_
  tensor::Buffer hidden_, dhidden_, logits_, anchor_hidden_, anchor_logits_;
  std::vector<int32_t> targets_;
  std::vector<float> weights_, losses_, anchor_losses_;
};

}  // namespace plinth::train
