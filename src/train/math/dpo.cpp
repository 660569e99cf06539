#include "train/math/dpo.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace plinth::train {

double PreferenceLoss::weigh(const MicroBatch& batch, std::span<const float> policy,
                             std::span<const float> reference, std::span<float> weights) {
  const auto& starts = batch.segment_starts;
  PLINTH_CHECK(starts.size() % 2 == 1, "{} segments are no pairs", starts.size() - 1);
  const auto gained = [&](size_t segment) {
    double sum = 0;
    for (auto r = static_cast<size_t>(starts[segment]);
         r < static_cast<size_t>(starts[segment + 1]); ++r)
      sum += double{policy[r]} - double{reference[r]};
    return sum;
  };
  const auto fill = [&](size_t segment, double weight) {
    std::fill(weights.begin() + starts[segment], weights.begin() + starts[segment + 1],
              static_cast<float>(weight));
  };
  double loss = 0;
  for (size_t segment = 0; segment + 2 < starts.size(); segment += 2) {
    const double margin = gained(segment) - gained(segment + 1);
    const double x = beta_ * margin;
    // -log sigmoid(x), without overflow at either end.
    loss += scale_ * (std::max(-x, 0.0) + std::log1p(std::exp(-std::abs(x))));
    // A row's weight is the slope over its -log p: beta sigmoid(-x), and as much the other way.
    const double pull = scale_ * beta_ / (1 + std::exp(x));
    fill(segment, pull);
    fill(segment + 1, -pull);
    ++pairs_;
    preferred_ += margin > 0 ? 1 : 0;
  }
  return loss;
}

}  // namespace plinth::train
