// A step: rows of any mix of sequences through the base once.
//
// Rows are sorted by adapter, so that each adapter's low-rank product covers one range of rows;
// keys and values go to the paged KV cache, which lives here; the head runs only over rows whose
// logits somebody wants, at most kHeadRows at a time. All memory is taken at construction. Used by
// the engine thread.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "model/decoder.h"
#include "model/model.h"
#include "tensor/ops.h"

namespace plinth::engine {

struct StepShape {
  int64_t rows_max = 0;
  int64_t block_tokens = 0;
  int64_t blocks = 0;
  tensor::KvType kv_type = tensor::KvType::kF16;
  bool deterministic = false;  // EngineOptions::deterministic
};

// Consecutive tokens of one sequence. Tokens and table are read before the first logits come out.
struct Segment {
  std::span<const int32_t> tokens = {};
  int64_t position = 0;            // of tokens[0]
  const int32_t* table = nullptr;  // block numbers up to the last position
  const model::Adapter* adapter = nullptr;
  int64_t first_wanted = 0;  // position from which logits are wanted; past the end: none
  bool hidden = false;       // not logits are wanted, but what the head would read
};

class StepRunner {
 public:
  static constexpr int64_t kHeadRows = 64;

  // The model outlives the runner: the engine holds it.
  StepRunner(const model::Model& model, const StepShape& shape);
  ~StepRunner();
  StepRunner(const StepRunner&) = delete;
  StepRunner& operator=(const StepRunner&) = delete;

  // Called with the segment's index, a position, and logits [rows, vocabulary] from there on, in
  // order of position inside a segment; the logits live until it returns. For segments that want
  // hidden states the matrix is [rows, width].
  using LogitsSink =
      std::function<void(size_t segment, int64_t position, tensor::ConstMatrix logits)>;

  // At most rows_max rows together.
  void run(std::span<const Segment> segments, const LogitsSink& sink);

  // Keys and values of a whole block, in every layer.
  void copy_block(int32_t from, int32_t to);

  // KV cache and arena.
  int64_t memory_bytes() const { return memory_bytes_; }

  // Bytes of keys and values that one block takes over all layers.
  static int64_t block_bytes(const model::ModelConfig& config, int64_t block_tokens,
                             tensor::KvType type);

 private:
  class PagedAttention;
  class SegmentedAdapters;

  // Where a segment's rows begin in the batch.
  struct Placed {
    size_t segment = 0;
    int64_t begin = 0;
  };

  void place(std::span<const Segment> segments);
  void run_head(std::span<const Segment> segments, model::AdapterSeam& adapters,
                const LogitsSink& sink);

  const model::Model* model_;
  const tensor::Ops* ops_;
  StepShape shape_;
  int64_t memory_bytes_ = 0;

  tensor::Buffer kv_;  // for each layer: keys of all blocks, values of all blocks
  model::Activations activations_;
  tensor::Buffer hidden_;   // [rows_max, width]
  tensor::Buffer head_in_;  // [kHeadRows, width]
  tensor::Buffer logits_;   // [kHeadRows, vocabulary]

  // The batch of the current step, by row.
  std::vector<int32_t> tokens_;
  std::vector<int32_t> positions_;
  std::vector<const int32_t*> tables_;
  std::vector<const model::Adapter*> adapters_;
  std::vector<Placed> placed_;
  std::vector<int32_t> head_rows_;  // of the batch, those in head_in_
};

}  // namespace plinth::engine
