// Several adapters over one base in one batch: the base's products run once over everybody's rows,
// each adapter sees its own. Every adapter gets the gradients that it would get alone, because rows
// meet nowhere: attention stays within a sequence, and a row's loss is its own.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "train/math/tape.h"

namespace plinth::train {

class FusedAdapters : public AdapterBackwardSeam {
 public:
  // The next `rows` rows of the batch are this adapter's; it outlives the batch.
  void append(AdapterBackwardSeam* adapter, int64_t rows) { parts_.push_back({adapter, rows}); }

  void add(int64_t layer, model::Linear which, tensor::ConstMatrix x, tensor::Matrix y) override;
  void add_backward(int64_t layer, model::Linear which, tensor::ConstMatrix x,
                    tensor::ConstMatrix dy, tensor::Matrix dx) override;

 private:
  struct Part {
    AdapterBackwardSeam* adapter;
    int64_t rows;
  };

  std::vector<Part> parts_;
};

// Adds the sequences of `more` behind those of `batch`.
void append_batch(const MicroBatch& more, MicroBatch& batch);

}  // namespace plinth::train
