#include "train/data/window_order.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "train/data/shuffle.h"

namespace plinth::train {
namespace {

// Whole windows of a range. One is left out where there are several: the room in which an epoch
// moves its cuts.
int64_t windows_of(const TokenRange& range, int64_t sequence) {
  const int64_t whole = std::max<int64_t>(0, (range.tokens - 1) / sequence);
  return whole > 1 ? whole - 1 : whole;
}

int64_t draws_of(const TokenRange& range, int64_t sequence) {
  return std::llround(static_cast<double>(windows_of(range, sequence)) * range.weight);
}

}  // namespace

WindowOrder::WindowOrder(std::vector<TokenRange> ranges, int64_t sequence, uint64_t seed)
    : ranges_(std::move(ranges)), sequence_(sequence), seed_(seed) {
  for (const auto& range : ranges_) epoch_windows_ += draws_of(range, sequence_);
}

int64_t WindowOrder::start(int64_t cursor) {
  const int64_t epoch = cursor / epoch_windows_;
  if (epoch != epoch_) shuffle(epoch);
  return starts_[static_cast<size_t>(cursor % epoch_windows_)];
}

void WindowOrder::shuffle(int64_t epoch) {
  Rng rng = seeded(seed_, /*stream=*/0, epoch);
  starts_.clear();
  for (const auto& range : ranges_) {
    const int64_t windows = windows_of(range, sequence_);
    if (windows == 0) continue;
    const int64_t room = std::min(sequence_ - 1, range.tokens - 1 - windows * sequence_);
    const int64_t shift = static_cast<int64_t>(rng.below(static_cast<uint64_t>(room) + 1));
    // Whole passes over the range, then a random part of one.
    for (int64_t left = draws_of(range, sequence_); left > 0; left -= windows) {
      const size_t first = starts_.size();
      for (int64_t w = 0; w < windows; ++w) starts_.push_back(range.first + shift + w * sequence_);
      if (left >= windows) continue;
      shuffle_from(starts_, first, rng);
      starts_.resize(first + static_cast<size_t>(left));
    }
  }
  shuffle_from(starts_, 0, rng);
  epoch_ = epoch;
}

}  // namespace plinth::train
