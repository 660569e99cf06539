// Which sample comes when: a function of (seed, cursor) and nothing else. An epoch is every domain
// sample once and a fixed number of replay samples, shuffled together; replay goes through its own
// samples in its own shuffled rounds.
#pragma once

#include <cstdint>
#include <vector>

namespace plinth::train {

// Samples are numbered: domain 0..domain-1, then replay domain..domain+replay-1.
struct OrderShape {
  int64_t domain = 0;
  int64_t replay = 0;
  int64_t replay_per_epoch = 0;
};

class SampleOrder {
 public:
  SampleOrder(const OrderShape& shape, uint64_t seed) : shape_(shape), seed_(seed) {}

  int64_t epoch_samples() const { return shape_.domain + shape_.replay_per_epoch; }

  // The sample at `cursor` (0, 1, 2, ... over all epochs).
  int64_t at(int64_t cursor);

 private:
  void shuffle(int64_t epoch);

  OrderShape shape_;
  uint64_t seed_;
  int64_t epoch_ = -1;  // the one that order_ holds
  std::vector<int64_t> order_;
};

}  // namespace plinth::train
