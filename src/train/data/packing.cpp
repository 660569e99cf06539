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

std::vector<MicroBatch> pack(std::span<const Sample* const> samples, int64_t micro_tokens,
                             RowWeights weights, int64_t together) {
  std::vector<MicroBatch> batches;
  const auto n = static_cast<size_t>(together);
  for (size_t i = 0; i < samples.size(); i += n) {
    const auto group = samples.subspan(i, n);
    int64_t rows = 0;
    for (const Sample* sample : group) rows += rows_of(*sample);
    PLINTH_CHECK(rows <= micro_tokens, "{} samples of {} rows in micro-batches of {}", n, rows,
                 micro_tokens);
    if (batches.empty() || batches.back().rows() + rows > micro_tokens) {
      batches.emplace_back();
      batches.back().segment_starts.push_back(0);
    }
    for (const Sample* sample : group)
      append(*sample, sample->replay ? weights.replay : weights.domain, batches.back());
  }
  return batches;
}

}  // namespace plinth::train
