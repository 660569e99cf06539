// Confidence intervals by resampling items.
#pragma once

#include <cstdint>
#include <span>

#include "core/result.h"

namespace plinth::eval {

struct Interval {
  double mean = 0;
  double lo = 0;
  double hi = 0;
};

// How far could the mean be off, had we drawn other items?
//
// scores     per item, n >= 1
// resamples  draws of n items with replacement; same seed, same interval
// Returns the mean with its 95% percentile interval.
// Source: Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics, 1979.
Result<Interval> bootstrap_mean(std::span<const double> scores, int resamples, uint64_t seed);

// Paired bootstrap: how sure are we that b beats a on the same items?
//
// a, b       per-item scores, same order and length n >= 2, higher is better
// resamples  draws of n items with replacement; same seed, same interval
// Returns the mean of b - a with its 95% percentile interval.
// Source: Koehn, "Statistical Significance Tests for Machine Translation Evaluation", EMNLP 2004.
Result<Interval> paired_bootstrap(std::span<const double> a, std::span<const double> b,
                                  int resamples, uint64_t seed);

// The same for ratios of sums, such as bits over characters: items are drawn with their weights.
//
// numerators, denominators  per item, same length n >= 1, the denominators sum to more than 0
// Returns sum(numerators) / sum(denominators) with its 95% percentile interval.
Result<Interval> bootstrap_ratio(std::span<const double> numerators,
                                 std::span<const double> denominators, int resamples,
                                 uint64_t seed);

}  // namespace plinth::eval
