// Packing: samples laid behind each other in micro-batches, each a segment of its own with
// positions from 0. Nothing is padded, and attention never crosses from one sample to another.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "train/data/dataset.h"
#include "train/math/tape.h"

namespace plinth::train {

// Rows that a sample takes: its last token is only a target.
inline int64_t rows_of(const Sample& sample) {
  return static_cast<int64_t>(sample.tokens.size()) - 1;
}

// What a row with loss weighs.
struct RowWeights {
  float domain = 1.0f;
  float replay = 1.0f;
};

// Behind which of the samples each micro-batch of pack() ends.
std::vector<size_t> pack_ends(std::span<const Sample* const> samples, int64_t micro_tokens,
                              int64_t together = 1);

// The samples in order, as few micro-batches of at most `micro_tokens` rows as that order allows.
// `together`: so many samples that follow each other are never parted (2: pairs).
std::vector<MicroBatch> pack(std::span<const Sample* const> samples, int64_t micro_tokens,
                             RowWeights weights, int64_t together = 1);

}  // namespace plinth::train
