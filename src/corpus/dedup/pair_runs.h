// Pairs of documents, more than memory holds: sorted runs in files, merged when read.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/file.h"
#include "core/result.h"

namespace plinth::corpus {

struct RankPair {
  int32_t a = 0;  // a < b
  int32_t b = 0;
  auto operator<=>(const RankPair&) const = default;
};

class PairRuns {
 public:
  // Keeps at most `memory_bytes` of pairs in memory; runs are files in `folder`.
  PairRuns(Path folder, uint64_t memory_bytes);
  ~PairRuns();

  Status add(RankPair pair);
  // Drops pairs that were added several times, as far as they are in memory. Worth a call after
  // each pass that may add the same pairs again.
  Status compact();

  // No more pairs: next() gives them in ascending order, each once; false at the end.
  Status begin_reading();
  Result<bool> next(RankPair& pair);

 private:
  struct Source;

  Status write_run();

  Path folder_;
  size_t pairs_max_;
  std::vector<RankPair> pairs_;
  std::vector<Path> runs_;
  std::vector<std::unique_ptr<Source>> sources_;  // a heap, smallest first
};

}  // namespace plinth::corpus
