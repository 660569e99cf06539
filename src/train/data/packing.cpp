#include "train/data/packing.h"

#include "core/check.h"

namespace plinth::train {
namespace {

void append(const Sample& sample, float weight, MicroBatch& batch) {
  for (size_t i = 0; i + 1 < sample.tokens.size(); ++i) {
    batch.tokens.push_back(sample.tokens[i]);
    batch.positions.push_back(static_cast<int32_t>(i));
    batch.targets.push_back(sample.learned[i + 1] ? sample.tokens[i + 1] : -1);
    batch.weights.push_back(weight);
  }
  batch.segment_starts.push_back(static_cast<int32_t>(batch.rows()));
  batch.samples.push_back(sample.number);
}

}  // namespace

std::vector<size_t> pack_ends(std::span<const Sample* const> samples, int64_t micro_tokens,
                              int64_t together) {
  std::vector<size_t> ends;
  int64_t filled = 0;
  const auto n = static_cast<size_t>(together);
  for (size_t i = 0; i < samples.size(); i += n) {
    int64_t rows = 0;
    for (const Sample* sample : samples.subspan(i, n)) rows += rows_of(*sample);
    PLINTH_CHECK(rows <= micro_tokens, "{} samples of {} rows in micro-batches of {}", n, rows,
                 micro_tokens);
    if (ends.empty() || filled + rows > micro_tokens) {
      ends.push_back(i);
      filled = 0;
    }
    ends.back() += n;
    filled += rows;
  }
  return ends;
}

std::vector<MicroBatch> pack(std::span<const Sample* const> samples, int64_t micro_tokens,
                             RowWeights weights, int64_t together) {
  std::vector<MicroBatch> batches;
  size_t first = 0;
  for (const size_t end : pack_ends(samples, micro_tokens, together)) {
    auto& batch = batches.emplace_back();
    batch.segment_starts.push_back(0);
    for (; first < end; ++first) {
      const Sample& sample = *samples[first];
      append(sample, sample.replay ? weights.replay : weights.domain, batch);
    }
  }
  return batches;
}

}  // namespace plinth::train
