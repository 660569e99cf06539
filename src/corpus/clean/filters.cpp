#include "corpus/clean/filters.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace plinth::corpus {
namespace {

// 0 below low, 1 above high, straight between.
double ramp(double value, double low, double high) {
  return std::clamp((value - low) / (high - low), 0.0, 1.0);
}

std::optional<Drop> first_failure(const TextStats& stats, const SpamScore& spam,
                                  const RefineRecipe& recipe) {
  const auto over = [](std::string stage, std::string_view what, double value, double limit) {
    return Drop{std::move(stage), fmt::format("{} {:.3f}, above {:.3f}", what, value, limit)};
  };
  if (stats.chars < recipe.chars_min)
    return Drop{"length",
                fmt::format("{} characters, fewer than {}", stats.chars, recipe.chars_min)};
  if (stats.share(stats.broken) > recipe.broken_share_max)
    return over("broken", "share of broken characters", stats.share(stats.broken),
                recipe.broken_share_max);
  if (stats.share(stats.han) < recipe.han_share_min)
    return Drop{"language", fmt::format("share of Han characters {:.3f}, below {:.3f}",
                                        stats.share(stats.han), recipe.han_share_min)};
  if (stats.share(stats.symbols) > recipe.symbol_share_max)
    return over("symbols", "share of symbols", stats.share(stats.symbols), recipe.symbol_share_max);
  if (spam.score > recipe.spam_score_max)
    return Drop{"spam", fmt::format("{} score {:.2f}, above {:.2f}: {}", spam.category, spam.score,
                                    recipe.spam_score_max, fmt::join(spam.words, " "))};
  if (stats.share(stats.repeated_line_chars) > recipe.repeated_line_share_max)
    return over("repetition", "share of repeated lines", stats.share(stats.repeated_line_chars),
                recipe.repeated_line_share_max);
  if (stats.repeated_run_share() > recipe.repeated_run_share_max && stats.runs >= 16)
    return over("repetition", "share of repeated 13-character runs", stats.repeated_run_share(),
                recipe.repeated_run_share_max);
  return {};
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

Judged judge(std::string_view text, const TextStats& stats, const RefineRecipe& recipe) {
  const SpamScore spam = spam_score(text);
  Judged out;
  out.quality = std::round(quality_score(stats, spam.score) * 1000.0) / 1000.0;
  out.drop = first_failure(stats, spam, recipe);
  if (!out.drop && out.quality < recipe.quality_min)
    out.drop = Drop{"quality",
                    fmt::format("quality {:.3f}, below {:.3f}", out.quality, recipe.quality_min)};
  return out;
}

}  // namespace plinth::corpus
