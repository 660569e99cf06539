// What a person watching a run sees: a few lines that are drawn over themselves, made for a
// terminal of 80 columns. Pure: reports in, lines out; who draws them is the command line's affair.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "core/clock.h"
#include "train/train.h"

namespace plinth::train {

class LiveView {
 public:
  explicit LiveView(std::string label, const Clock& clock = system_clock())
      : label_(std::move(label)), watch_(clock) {}

  void take(const StepReport& report);

  // Always the same number of lines, each shorter than `columns` characters (20 at least). What
  // does not fit as a whole is left out:
  //
  //   tune [###########---------------------]  312/908  34 %   4m10s left
  //   loss 2.314  held-out 2.401  best 2.398 at 300  general 3.120
  //   lr 4.1e-04  gradient 0.82  4812 tokens/s  memory 412 MB
  //   loss so far, high to low: @%#*+=-:. one character a stretch
  std::vector<std::string> lines(int columns) const;

  // The same as one line: "tune step 312/908, loss 2.314, ...", whole for logs or shorter than
  // `columns`.
  std::string line(int columns = std::numeric_limits<int>::max()) const;

  const StepReport& last() const { return last_; }

 private:
  std::string left() const;
  std::string curve(size_t columns) const;

  std::string label_;
  Stopwatch watch_;
  StepReport last_;
  double first_at_ = -1;  // of this call, whose speed says how much is left
  int64_t first_step_ = 0;
  double heldout_ = -1;
  double best_ = -1;
  int64_t best_step_ = 0;
  double general_ = -1;
  std::vector<double> losses_;
};

// "42s", "4m10s", "2h05m"
std::string duration_text(double seconds);

}  // namespace plinth::train
