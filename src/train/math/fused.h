// Several adapters over one base in one batch: the base's products run once over everybody's rows,
// each adapter sees its own. Every adapter gets the gradients that it would get alone, because rows
// meet nowhere: attention stays within a sequence, and a row's loss is its own. With operations
// that compute each row for itself (row_invariant.h) they are the same bits.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "train/math/tape.h"

namespace plinth::train {

class FusedAdapters : public AdapterBackwardSeam {
 public:
  // The next `rows` rows of the batch are this adapter's; it outlives the batch and comes once.
  // Adapters of a batch may be called at the same time, by threads of the compute pool.
  void append(AdapterBackwardSeam* adapter, int64_t rows) { parts_.push_back({adapter, rows}); }

  void add(int64_t layer, model::Linear which, tensor::ConstMatrix x, tensor::Matrix y) override;
  void add_backward(int64_t layer, model::Linear which, tensor::ConstMatrix x,
                    tensor::ConstMatrix dy, tensor::Matrix dx) override;
  void add_embedding(std::span<const int32_t> tokens, tensor::Matrix x) override;
  void add_head(std::span<const int32_t> rows, tensor::ConstMatrix hidden,
                tensor::Matrix logits) override;
  bool learns_embedding() const override;
  void add_embedding_backward(std::span<const int32_t> tokens, tensor::ConstMatrix d) override;
  void add_head_backward(std::span<const int32_t> rows, tensor::ConstMatrix hidden,
                         tensor::ConstMatrix dlogits, tensor::Matrix dhidden) override;

 private:
  struct Part {
    AdapterBackwardSeam* adapter;
    int64_t rows;
  };

  // Calls body(adapter, index of its first row, number of its rows) for each part.
  template <typename Body>
  void for_each(const Body& body) const;
  // The same, parts that are many enough on all threads.
  template <typename Body>
  void for_each_at_once(const Body& body) const;
  // The same for its rows among `rows`, which ascend.
  template <typename Body>
  void for_each_of(std::span<const int32_t> rows, const Body& body) const;

  std::vector<Part> parts_;
};

// Several objectives over one batch, each over rows of its own.
class FusedObjectives : public RowObjective {
 public:
  // The next rows are those of `batch`, and this objective's; both outlive the pass.
  void append(RowObjective* objective, const MicroBatch& batch) {
    parts_.push_back({objective, &batch});
  }

  double weigh(const MicroBatch& batch, std::span<const float> policy,
               std::span<const float> reference, std::span<float> weights) override;

  // What each was worth in the last call, in the order of append().
  const std::vector<double>& values() const { return values_; }

 private:
  struct Part {
    RowObjective* objective;
    const MicroBatch* batch;
  };

  std::vector<Part> parts_;
  std::vector<double> values_;
};

// Adds the sequences of `more` behind those of `batch`, with what they have of noise.
void append_batch(const MicroBatch& more, MicroBatch& batch);

}  // namespace plinth::train
