#include "train/data/sample_order.h"

#include <numeric>

#include "train/data/shuffle.h"

namespace plinth::train {
namespace {

// Streams of the generator, so that the rounds of replay don't repeat the epochs' shuffles.
constexpr uint64_t kEpochStream = 0;
constexpr uint64_t kReplayStream = 1;

}  // namespace

int64_t SampleOrder::at(int64_t cursor) {
  const int64_t epoch = cursor / epoch_samples();
  if (epoch != epoch_) shuffle(epoch);
  return order_[static_cast<size_t>(cursor % epoch_samples())];
}

void SampleOrder::shuffle(int64_t epoch) {
  order_.resize(static_cast<size_t>(shape_.domain));
  std::iota(order_.begin(), order_.end(), 0);
  std::vector<int64_t> round;
  int64_t round_held = -1;
  for (int64_t i = 0; i < shape_.replay_per_epoch; ++i) {
    const int64_t drawn = epoch * shape_.replay_per_epoch + i;
    if (const int64_t n = drawn / shape_.replay; n != round_held) {
      round.resize(static_cast<size_t>(shape_.replay));
      std::iota(round.begin(), round.end(), shape_.domain);
      Rng rng = seeded(seed_, kReplayStream, n);
      shuffle_from(round, 0, rng);
      round_held = n;
    }
    order_.push_back(round[static_cast<size_t>(drawn % shape_.replay)]);
  }
  Rng rng = seeded(seed_, kEpochStream, epoch);
  shuffle_from(order_, 0, rng);
  epoch_ = epoch;
}

}  // namespace plinth::train
