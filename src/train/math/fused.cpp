#include "train/math/fused.h"

#include "core/check.h"

namespace plinth::train {
namespace {

template <typename View>
View rows_of(View m, int64_t first, int64_t rows) {
  if (m.data != nullptr) m.data += first * m.stride;
  m.rows = rows;
  return m;
}

}  // namespace

void FusedAdapters::add(int64_t layer, model::Linear which, tensor::ConstMatrix x,
                        tensor::Matrix y) {
  int64_t first = 0;
  for (const auto& [adapter, rows] : parts_) {
    adapter->add(layer, which, rows_of(x, first, rows), rows_of(y, first, rows));
    first += rows;
  }
  PLINTH_CHECK(first == x.rows, "adapters with {} rows in a batch of {}", first, x.rows);
}

void FusedAdapters::add_backward(int64_t layer, model::Linear which, tensor::ConstMatrix x,
                                 tensor::ConstMatrix dy, tensor::Matrix dx) {
  int64_t first = 0;
  for (const auto& [adapter, rows] : parts_) {
    adapter->add_backward(layer, which, rows_of(x, first, rows), rows_of(dy, first, rows),
                          rows_of(dx, first, rows));
    first += rows;
  }
}

double FusedObjectives::weigh(const MicroBatch& batch, std::span<const float> policy,
                              std::span<const float> reference, std::span<float> weights) {
  values_.clear();
  size_t first = 0;
  double sum = 0;
  for (const auto& [objective, part] : parts_) {
    const auto rows = static_cast<size_t>(part->rows());
    values_.push_back(objective->weigh(*part, policy.subspan(first, rows),
                                       reference.subspan(first, rows),
                                       weights.subspan(first, rows)));
    sum += values_.back();
    first += rows;
  }
  PLINTH_CHECK(first == static_cast<size_t>(batch.rows()), "objectives of {} of {} rows", first,
               batch.rows());
  return sum;
}

void append_batch(const MicroBatch& more, MicroBatch& batch) {
  PLINTH_CHECK(batch.rows() == 0 || batch.anchored == more.anchored,
               "anchored and other rows in one batch");
  const auto first = static_cast<int32_t>(batch.rows());
  batch.anchored = more.anchored;
  const auto append = [](const auto& from, auto& to) {
    to.insert(to.end(), from.begin(), from.end());
  };
  append(more.tokens, batch.tokens);
  append(more.positions, batch.positions);
  append(more.targets, batch.targets);
  append(more.weights, batch.weights);
  if (batch.segment_starts.empty()) batch.segment_starts.push_back(0);
  if (!more.noise.empty() || !batch.noise.empty()) {
    batch.noise.resize(batch.segment_starts.size() - 1);
    append(more.noise, batch.noise);
    batch.noise.resize(batch.segment_starts.size() + more.segment_starts.size() - 2);
  }
  append(more.samples, batch.samples);
  for (size_t i = 1; i < more.segment_starts.size(); ++i)
    batch.segment_starts.push_back(first + more.segment_starts[i]);
}

}  // namespace plinth::train
