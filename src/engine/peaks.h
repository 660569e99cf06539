// The largest logit of every few: finds the best ones of a whole vocabulary without sorting it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace plinth::engine {

inline constexpr float kImpossible = -std::numeric_limits<float>::infinity();

class Peaks {
 public:
  // The logits must stay as they are. What is not a number counts as impossible.
  void find(std::span<const float> logits);

  // The best token, the smaller id of equals; -1 when all are impossible.
  int32_t best() const;

  // Whether no logit was NaN.
  bool all_numbers() const { return all_numbers_; }

  // A logit that at least n tokens have or exceed, as high as the peaks tell; kImpossible where n
  // is more than they are.
  float reached_by(size_t n);

  // body(token, logit) for all possible ones that have or exceed `floor`, in the order of ids.
  template <class Body>
  void for_each_from(float floor, const Body& body) const {
    for (size_t group = 0; group < peaks_.size(); ++group) {
      if (!(peaks_[group] >= floor && peaks_[group] > kImpossible)) continue;
      const size_t end = std::min(logits_.size(), (group + 1) * kGroup);
      for (size_t i = group * kGroup; i < end; ++i)
        if (logits_[i] >= floor && logits_[i] > kImpossible)
          body(static_cast<int32_t>(i), logits_[i]);
    }
  }

 private:
  static constexpr size_t kGroup = 64;

  std::span<const float> logits_;
  bool all_numbers_ = true;
  std::vector<float> peaks_;
  std::vector<float> sorted_;  // scratch
};

}  // namespace plinth::engine
