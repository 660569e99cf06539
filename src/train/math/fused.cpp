#include "train/math/fused.h"

#include <algorithm>
#include <cstdint>
#include <functional>

#include "core/check.h"
#include "core/threads.h"

namespace plinth::train {
namespace {

template <typename View>
View rows_of(View m, int64_t first, int64_t rows) {
  if (m.data != nullptr) m.data += first * m.stride;
  m.rows = rows;
  return m;
}

}  // namespace

template <typename Body>
void FusedAdapters::for_each(const Body& body) const {
  int64_t first = 0;
  for (const auto& [adapter, rows] : parts_) {
    body(*adapter, first, rows);
    first += rows;
  }
}

// An adapter's products are small: a few rows, or as many columns as its rank. Cut for the threads
// they are short loops, of which some have one piece only; a whole adapter each keeps all threads
// busy, as long as no adapter has more than a thread's share of the rows. Operations give the same
// bits inside a loop.
template <typename Body>
void FusedAdapters::for_each_at_once(const Body& body) const {
  int64_t all = 0;
  int64_t most = 0;
  for (const auto& part : parts_) {
    all += part.rows;
    most = std::max(most, part.rows);
  }
  if (most * compute_pool().threads() > all) return for_each(body);
  const std::function<void(int64_t, int64_t, int)> some = [&](int64_t begin, int64_t end, int) {
    int64_t first = 0;
    for (int64_t i = 0; i < end; ++i) {
      const auto& [adapter, rows] = parts_[static_cast<size_t>(i)];
      if (i >= begin) body(*adapter, first, rows);
      first += rows;
    }
  };
  compute_pool().parallel_for(std::ssize(parts_), 1, some);
}

template <typename Body>
void FusedAdapters::for_each_of(std::span<const int32_t> rows, const Body& body) const {
  int64_t from = 0;
  for_each([&](AdapterBackwardSeam& adapter, int64_t first, int64_t n) {
    const auto to = std::ranges::lower_bound(rows, first + n) - rows.begin();
    if (to > from) body(adapter, from, to - from);
    from = to;
  });
}

void FusedAdapters::add(int64_t layer, model::Linear which, tensor::ConstMatrix x,
                        tensor::Matrix y) {
  int64_t all = 0;
  for (const auto& part : parts_) all += part.rows;
  PLINTH_CHECK(all == x.rows, "adapters with {} rows in a batch of {}", all, x.rows);
  for_each_at_once([&](AdapterBackwardSeam& adapter, int64_t first, int64_t rows) {
    adapter.add(layer, which, rows_of(x, first, rows), rows_of(y, first, rows));
  });
}

void FusedAdapters::add_backward(int64_t layer, model::Linear which, tensor::ConstMatrix x,
                                 tensor::ConstMatrix dy, tensor::Matrix dx) {
  for_each_at_once([&](AdapterBackwardSeam& adapter, int64_t first, int64_t rows) {
    adapter.add_backward(layer, which, rows_of(x, first, rows), rows_of(dy, first, rows),
                         rows_of(dx, first, rows));
  });
}

void FusedAdapters::add_embedding(std::span<const int32_t> tokens, tensor::Matrix x) {
  for_each([&](AdapterBackwardSeam& adapter, int64_t first, int64_t rows) {
    adapter.add_embedding(tokens.subspan(static_cast<size_t>(first), static_cast<size_t>(rows)),
                          rows_of(x, first, rows));
  });
}

void FusedAdapters::add_head(std::span<const int32_t> rows, tensor::ConstMatrix hidden,
                             tensor::Matrix logits) {
  for_each_of(rows, [&](AdapterBackwardSeam& adapter, int64_t from, int64_t n) {
    adapter.add_head(rows.subspan(static_cast<size_t>(from), static_cast<size_t>(n)),
                     rows_of(hidden, from, n), rows_of(logits, from, n));
  });
}

bool FusedAdapters::learns_embedding() const {
  return std::ranges::any_of(parts_,
                             [](const Part& part) { return part.adapter->learns_embedding(); });
}

void FusedAdapters::add_embedding_backward(std::span<const int32_t> tokens, tensor::ConstMatrix d) {
  for_each([&](AdapterBackwardSeam& adapter, int64_t first, int64_t rows) {
    adapter.add_embedding_backward(
        tokens.subspan(static_cast<size_t>(first), static_cast<size_t>(rows)),
        rows_of(d, first, rows));
  });
}

void FusedAdapters::add_head_backward(std::span<const int32_t> rows, tensor::ConstMatrix hidden,
                                      tensor::ConstMatrix dlogits, tensor::Matrix dhidden) {
  for_each_of(rows, [&](AdapterBackwardSeam& adapter, int64_t from, int64_t n) {
    adapter.add_head_backward(rows.subspan(static_cast<size_t>(from), static_cast<size_t>(n)),
                              rows_of(hidden, from, n), rows_of(dlogits, from, n),
                              rows_of(dhidden, from, n));
  });
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
  batch.part_starts.push_back(first);
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
