// Which learning rate? Found by trying: a range test, and a sweep of whole runs.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "model/model.h"
#include "train/train.h"

namespace plinth::train {

struct RangePoint {
  double learning_rate = 0;
  double loss = 0;      // of that step
  double smoothed = 0;  // exponential mean, its bias taken out
};

struct RangeTest {
  std::vector<RangePoint> points;
  // A third of the rate at which the smoothed loss was lowest: high enough to be fast, with room
  // for the noise of a longer run. 0: the loss never fell.
  double suggested = 0;
  bool diverged = false;  // the loss rose far above its lowest before the last rate
};

struct RangeOptions {
  double low = 1e-6;
  double high = 1e-1;
  int64_t steps = 80;
};

// One short run whose learning rate grows from low to high, by the same factor each step, until the
// loss is far above its lowest. The adapter is thrown away. Source: Smith, "Cyclical Learning Rates
// for Training Neural Networks", WACV 2017, section 3.3.
Result<RangeTest> find_learning_rate(const std::shared_ptr<const model::Model>& base,
                                     const TuneRecipe& recipe, const RangeOptions& options,
                                     const TuneHooks& hooks);

struct SweepGrid {
  std::vector<int64_t> ranks;
  std::vector<double> rates;
  std::vector<double> epochs;
};

// A member for every combination, each in a folder of its own below `folder` and named after it.
// alpha stays in proportion to the rank. An empty list means the recipe's value.
std::vector<TuneMember> sweep_members(const TuneRecipe& recipe, const SweepGrid& grid,
                                      const Path& folder, const TuneHooks& hooks);

struct Sweep {
  // Of each member in order. A combination that fails, as one whose rate is too high may, does not
  // keep the others from being compared.
  std::vector<Result<TuneSummary>> results;
  size_t best = 0;  // lowest held-out loss; of equals the first
};

// Runs all members, as many in one batch as fit into train.memory or, without it, into `memory`
// bytes (fitting_together()), and so each with the result that it has alone; those that are
// finished are not run again. kInvalidArgument: nothing is held out, so nothing could be compared.
// When none ends, or one is stopped, its error.
Result<Sweep> sweep(const std::shared_ptr<const model::Model>& base,
                    std::span<const TuneMember> members, int64_t memory);

}  // namespace plinth::train
