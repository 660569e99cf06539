// Progress of long work: a line that redraws itself on a terminal, a quiet line now and then in a
// pipe. Writes to stderr, so that stdout stays clean for results.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/clock.h"

namespace plinth {

class Progress {
 public:
  // total 0: unknown, no percentage and no time left.
  Progress(std::string label, int64_t total, bool quiet = false);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // done out of total; `detail` is free text behind the numbers ("loss 2.31, 4100 tok/s").
  void update(int64_t done, std::string_view detail = {});
  void finish(std::string_view detail = {});

 private:
  void draw(std::string_view detail, bool last);

  std::string label_;
  int64_t total_;
  int64_t done_ = 0;
  int64_t first_ = -1;  // done at the first update: resumed work does not count for the rate
  bool quiet_;
  bool terminal_;
  bool finished_ = false;
  double drawn_at_ = -1e9;
  Stopwatch watch_;
};

}  // namespace plinth
