#include "train/math/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace plinth::train {

double learning_rate(const Schedule& s, int64_t step) {
  if (step <= s.warmup_steps)
    return s.peak * static_cast<double>(step) / static_cast<double>(s.warmup_steps);
  if (s.kind == ScheduleKind::kRange) {
    const double length = static_cast<double>(std::max<int64_t>(1, s.steps - 1));
    const double left = std::clamp(static_cast<double>(s.steps - step) / length, 0.0, 1.0);
    return s.peak * std::pow(s.floor, left);
  }
  const bool cosine = s.kind == ScheduleKind::kCosine;
  const auto tail = static_cast<int64_t>(s.decay_fraction * static_cast<double>(s.steps));
  const int64_t decay_from = cosine ? s.warmup_steps : std::max(s.warmup_steps, s.steps - tail);
  const auto length = static_cast<double>(std::max<int64_t>(1, s.steps - decay_from));
  const double done = std::clamp(static_cast<double>(step - decay_from) / length, 0.0, 1.0);
  const double left = cosine ? 0.5 * (1.0 + std::cos(std::numbers::pi * done)) : 1.0 - done;
  return s.peak * (s.floor + (1.0 - s.floor) * left);
}

}  // namespace plinth::train
