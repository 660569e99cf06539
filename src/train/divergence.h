// When has a run left its path? A loss or a gradient that is no number, or far above what the last
// steps had. Pure: reports in, reasons out.
#pragma once

#include <deque>
#include <span>
#include <string>

#include "train/train.h"

namespace plinth::train {

class DivergenceWatch {
 public:
  // Why this step is no good; empty: it is, and counts for the next ones. Spikes are judged once
  // kStepsBefore good steps are known, against the median of the last kWindow of them: a loss
  // kLossFactor times as high and kLossAbove nats higher, a gradient norm kGradientFactor times as
  // large.
  std::string judge(const StepReport& report);

  // Takes these good steps, oldest first, for all that came before: of a run that goes on, or back.
  // So a run that was interrupted judges as an unbroken one does.
  void restart(std::span<const StepReport> before);

  static constexpr size_t kStepsBefore = 10;
  static constexpr size_t kWindow = 20;
  static constexpr double kLossFactor = 2.5;
  static constexpr double kLossAbove = 1.5;
  static constexpr double kGradientFactor = 30;

 private:
  std::deque<double> losses_;
  std::deque<double> gradients_;
};

}  // namespace plinth::train
