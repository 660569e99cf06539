#include "eval/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/rng.h"

namespace plinth::eval {

Result<Interval> bootstrap_mean(std::span<const double> scores, int resamples, uint64_t seed) {
  const std::vector<double> ones(scores.size(), 1.0);
  return bootstrap_ratio(scores, ones, resamples, seed);
}

Result<Interval> paired_bootstrap(std::span<const double> a, std::span<const double> b,
                                  int resamples, uint64_t seed) {
  if (a.size() != b.size())
    return invalid("paired bootstrap: {} scores against {}", a.size(), b.size());
  if (a.size() < 2) return invalid("paired bootstrap: {} items are too few", a.size());
  std::vector<double> gains(a.size());
  std::ranges::transform(b, a, gains.begin(), std::minus<>{});
  return bootstrap_mean(gains, resamples, seed);
}

Result<Interval> bootstrap_ratio(std::span<const double> numerators,
                                 std::span<const double> denominators, int resamples,
                                 uint64_t seed) {
  const size_t n = numerators.size();
  if (n != denominators.size())
    return invalid("bootstrap: {} numerators, {} denominators", n, denominators.size());
  if (n == 0) return invalid("bootstrap: no items");
  if (resamples < 1) return invalid("bootstrap: {} resamples", resamples);
  const double total = std::accumulate(numerators.begin(), numerators.end(), 0.0);
  const double weight = std::accumulate(denominators.begin(), denominators.end(), 0.0);
  if (!(weight > 0)) return invalid("bootstrap: the denominators sum to {}", weight);

  Rng rng(seed);
  std::vector<double> ratios;
  for (int i = 0; i < resamples; ++i) {
    double above = 0;
    double below = 0;
    for (size_t k = 0; k < n; ++k) {
      const auto item = static_cast<size_t>(rng.below(n));
      above += numerators[item];
      below += denominators[item];
    }
    if (below > 0)
      ratios.push_back(above / below);  // a draw of nothing but empty items says nothing
  }
  std::ranges::sort(ratios);
  if (ratios.empty()) ratios.push_back(total / weight);
  const auto at = [&](double share) {
    return ratios[static_cast<size_t>(std::lround(share * static_cast<double>(ratios.size() - 1)))];
  };
  return Interval{total / weight, at(0.025), at(0.975)};
}

}  // namespace plinth::eval
