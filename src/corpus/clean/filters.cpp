#include "corpus/clean/filters.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace plinth::corpus {
namespace {

constexpr double kDoubtMost = 1;

// 0 below low, 1 above high, straight between.
double ramp(double value, double low, double high) {
  return std::clamp((value - low) / (high - low), 0.0, 1.0);
}

bool passes(const Filter& filter, double value, double limit) {
  return filter.is_min() ? value >= limit : value <= limit;
}

std::string reason_of(const Filter& filter, const Measured& measured, double limit) {
  std::string out = fmt::format(fmt::runtime(filter.reason), filter.value(measured), limit);
  if (filter.stage == "spam")
    out += fmt::format(": {}: {}", measured.spam.category, fmt::join(measured.spam.words, " "));
  return out;
}

// How far a value is past its limit on the way to the worst one: 0 (or all), or 1.
double doubt_of(const Filter& filter, double value, double limit) {
  const double way = filter.is_min() ? limit : filter.most - limit;
  return std::clamp(std::abs(value - limit) / way, 0.0, 1.0);
}

}  // namespace

double quality_score(const TextStats& stats, double spam) {
  if (stats.chars == 0) return 0;
  const double line_chars =
      static_cast<double>(stats.chars) / static_cast<double>(std::max<int64_t>(stats.lines, 1));
  const double words = stats.share(stats.han + stats.latin + stats.digits);
  const double good = 0.30 * ramp(words, 0.4, 0.85) +
                      0.25 * ramp(stats.share(stats.stops), 0.0, 0.05) +
                      0.20 * ramp(line_chars, 4, 24) +
                      0.25 * ramp(std::log10(static_cast<double>(stats.chars)), 1.5, 2.7);
  const double bad = 0.5 * ramp(stats.repeated_run_share(), 0.1, 0.6) +
                     0.3 * ramp(stats.share(stats.repeated_line_chars), 0.1, 0.6) +
                     0.5 * ramp(spam, 0.2, 1.0) +
                     0.5 * ramp(stats.share(stats.broken + stats.symbols), 0.02, 0.3);
  return std::clamp(good * (1.0 - std::min(bad, 1.0)), 0.0, 1.0);
}

Judged judge(std::string_view text, const TextStats& stats, const Limits& limits) {
  Measured measured{stats, spam_score(text), 0};
  measured.quality = std::round(quality_score(stats, measured.spam.score) * 1000.0) / 1000.0;
  Judged out;
  out.quality = measured.quality;
  for (size_t i = 0; i < kFilters; ++i) {
    const Filter& filter = filters()[i];
    const double value = filter.value(measured);
    if (passes(filter, value, limits[i])) continue;
    std::string reason = reason_of(filter, measured, limits[i]);
    if (!filter.soft()) {
      out.drop = Drop{std::string(filter.stage), std::move(reason)};
      return out;
    }
    out.doubt += doubt_of(filter, value, limits[i]);
    out.doubts.push_back(std::move(reason));
  }
  out.doubt = std::round(out.doubt * 1000.0) / 1000.0;
  if (out.doubt > kDoubtMost)
    out.drop =
        Drop{"doubts", fmt::format("doubts of {:.3f}: {}", out.doubt, fmt::join(out.doubts, "; "))};
  return out;
}

}  // namespace plinth::corpus
