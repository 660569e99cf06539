#include "engine/peaks.h"

#include <cmath>
#include <functional>

namespace plinth::engine {

void Peaks::find(std::span<const float> logits) {
  logits_ = logits;
  peaks_.assign((logits.size() + kGroup - 1) / kGroup, kImpossible);
  // Several maxima side by side, which the compiler makes vectors of; a comparison with what is not
  // a number is false.
  constexpr size_t kLanes = 16;
  int32_t broken = 0;
  for (size_t group = 0; group < logits.size() / kGroup; ++group) {
    float lanes[kLanes];
    std::fill_n(lanes, kLanes, kImpossible);
    const float* from = logits.data() + group * kGroup;
    for (size_t i = 0; i < kGroup; i += kLanes)
      for (size_t l = 0; l < kLanes; ++l)
        lanes[l] = from[i + l] > lanes[l] ? from[i + l] : lanes[l];
    for (size_t i = 0; i < kGroup; ++i) broken |= from[i] != from[i] ? 1 : 0;
    peaks_[group] = *std::max_element(lanes, lanes + kLanes);
  }
  all_numbers_ = broken == 0;
  for (size_t i = logits.size() / kGroup * kGroup; i < logits.size(); ++i) {
    if (logits[i] > peaks_.back()) peaks_.back() = logits[i];
    if (std::isnan(logits[i])) all_numbers_ = false;
  }
}

int32_t Peaks::best() const {
  const auto peak = std::max_element(peaks_.begin(), peaks_.end());
  if (peak == peaks_.end() || *peak == kImpossible) return -1;
  const auto group = static_cast<size_t>(peak - peaks_.begin());
  const auto begin = logits_.begin() + static_cast<std::ptrdiff_t>(group * kGroup);
  return static_cast<int32_t>(std::find(begin, logits_.end(), *peak) - logits_.begin());
}

float Peaks::reached_by(size_t n) {
  if (n == 0 || n > peaks_.size()) return kImpossible;
  sorted_ = peaks_;
  const auto nth = sorted_.begin() + static_cast<std::ptrdiff_t>(n - 1);
  std::nth_element(sorted_.begin(), nth, sorted_.end(), std::greater<>());
  return *nth;
}

}  // namespace plinth::engine
