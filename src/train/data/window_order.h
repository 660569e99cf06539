// Which window of the tokens comes when: a function of (seed, cursor) and nothing else, so that a
// resumed run reads on exactly where it stopped.
#pragma once

#include <cstdint>
#include <vector>

#include "train/data/token_store.h"

namespace plinth::train {

class WindowOrder {
 public:
  // Windows of sequence + 1 tokens (the last is only a target), cut from each range at an offset
  // that differs from epoch to epoch. A range of weight w is read w times per epoch.
  WindowOrder(std::vector<TokenRange> ranges, int64_t sequence, uint64_t seed);

  // First token of the window at `cursor` (0, 1, 2, ... over all epochs).
  int64_t start(int64_t cursor);

  // Windows of one epoch; 0 when no range holds even one.
  int64_t epoch_windows() const { return epoch_windows_; }

 private:
  void shuffle(int64_t epoch);

  std::vector<TokenRange> ranges_;
  int64_t sequence_;
  uint64_t seed_;
  int64_t epoch_windows_ = 0;
  int64_t epoch_ = -1;  // the one that starts_ holds
  std::vector<int64_t> starts_;
};

}  // namespace plinth::train
