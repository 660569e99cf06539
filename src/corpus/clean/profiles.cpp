// The two tables of filters.h: what is measured, and the limits of each kind of text.
//
// Sources: [G] Rae et al., Gopher, 2021, A1.1; [F] FineWeb, 2024, section 3.6; [F2] FineWeb-2,
// 2025, configuration cmn_Hani; [C] ChineseWebText, 2023, section 3.1. What has no letter was found
// on texts that must stay (docs/performance.md).
#include <algorithm>

#include "core/check.h"
#include "corpus/clean/filters.h"

namespace plinth::corpus {
namespace {

constexpr double kCharsMost = 1'000'000;
constexpr double kSpamMost = 100;
constexpr int64_t kRunsMin = 16;  // fewer say nothing about repetition

using M = Measured;

constexpr std::array<Filter, kFilters> kTable = {{
    {"chars_min", "length", "{:.0f} characters, fewer than {:.0f}", kCharsMost,
     [](const M& m) { return static_cast<double>(m.stats.chars); }, true},
    {"broken_share_max", "broken", "share of broken characters {:.3f}, above {:.3f}", 1,
     [](const M& m) { return m.stats.share(m.stats.broken); }},
    {"han_share_min", "language", "share of Han characters {:.3f}, below {:.3f}", 1,
     [](const M& m) { return m.stats.share(m.stats.han); }},
    {"symbol_share_max", "symbols", "share of symbols {:.3f}, above {:.3f}", 1,
     [](const M& m) { return m.stats.share(m.stats.symbols); }},
    {"spam_score_max", "spam", "spam score {:.2f}, above {:.2f}", kSpamMost,
     [](const M& m) { return m.spam.score; }},
    {"repeated_line_share_max", "repetition", "share of repeated lines {:.3f}, above {:.3f}", 1,
     [](const M& m) { return m.stats.share(m.stats.repeated_line_chars); }},
    {"repeated_run_share_max", "repetition",
     "share of repeated 13-character runs {:.3f}, above {:.3f}", 1,
     [](const M& m) { return m.stats.runs < kRunsMin ? 0.0 : m.stats.repeated_run_share(); }},
    {"quality_min", "quality", "quality {:.3f}, below {:.3f}", 1,
     [](const M& m) { return m.quality; }},
    {"line_chars_min", "doubts", "characters in a line {:.1f}, fewer than {:.1f}", kCharsMost,
     [](const M& m) { return m.stats.per_line(m.stats.chars); }},
    {"short_line_share_max", "doubts", "share of short lines {:.3f}, above {:.3f}", 1,
     [](const M& m) { return m.stats.per_line(m.stats.short_lines); }},
    {"bullet_line_share_max", "doubts", "share of list items {:.3f}, above {:.3f}", 1,
     [](const M& m) { return m.stats.per_line(m.stats.bullet_lines); }},
    {"ellipsis_line_share_max", "doubts", "share of lines that end in dots {:.3f}, above {:.3f}", 1,
     [](const M& m) { return m.stats.per_line(m.stats.ellipsis_lines); }},
    {"ended_line_share_min", "doubts",
     "share of lines that end like sentences {:.3f}, below {:.3f}", 1,
     [](const M& m) { return m.stats.per_line(m.stats.ended_lines); }},
    {"word_share_min", "doubts", "share of letters, Han and digits {:.3f}, below {:.3f}", 1,
     [](const M& m) { return m.stats.share(m.stats.han + m.stats.latin + m.stats.digits); }},
}};

// clang-format off
constexpr std::array<Profile, 7> kProfiles = {{
    //              chars broken  han symbols spam  lines  runs quality | line short bullet dots ended words
    {"general",   {{  20,  0.05, 0.0,   0.5,    1,   0.6,  0.6,    0,      0,  1.0,   1.0,  1.0,  0.0,  0.0}}},
    {"law",       {{  20,  0.01, 0.5,   0.1,    2,   0.3,  0.6,    0,     10,  1.0,   1.0,  0.3,  0.2,  0.6}}},
    {"technical", {{  50,  0.01, 0.0,   0.3,    1,   0.6,  0.6,    0,      0,  1.0,   0.9,  0.3,  0.0,  0.4}}},
    {"table",     {{  20,  0.02, 0.0,   0.5,    1,   1.0,  1.0,    0,      0,  1.0,   1.0,  1.0,  0.0,  0.3}}},
    // [C] 200 characters (posts of forums are shorter: [G]'s 50 words), Han 0.3, lines of 10, runs
    // 0.5; [G] symbols 0.1, list items 0.9, dots 0.3; [F] short lines 0.67; [F2] repeated lines
    // 0.287, ended lines 0.106.
    {"web",       {{ 100,  0.01, 0.3,   0.1,    1, 0.287,  0.5,    0,     10, 0.67,   0.9,  0.3, 0.106, 0.6}}},
    {"books",     {{ 200,  0.05, 0.3,   0.1,    2,   0.3,  0.5,    0,     10, 0.67,   0.9,  0.3, 0.106, 0.6}}},
    {"dialogue",  {{  10,  0.01, 0.0,   0.3,    1,   0.6,  0.6,    0,      0,  1.0,   1.0,  1.0,  0.0,  0.4}}},
}};

// clang-format on

std::optional<size_t> index_of(std::string_view key) {
  for (size_t i = 0; i < kFilters; ++i)
    if (kTable[i].key == key) return i;
  return {};
}

}  // namespace

std::span<const Filter> filters() {
  return kTable;
}

std::span<const Profile> profiles() {
  return kProfiles;
}

const Profile* profile_named(std::string_view name) {
  const auto it = std::find_if(kProfiles.begin(), kProfiles.end(),
                               [&](const Profile& p) { return p.name == name; });
  return it == kProfiles.end() ? nullptr : &*it;
}

double limit_of(std::string_view key, const Limits& limits) {
  const std::optional<size_t> at = index_of(key);
  PLINTH_CHECK(at.has_value(), "filters: there is no limit \"{}\"", key);
  return limits[*at];
}

Status set_limits(const std::map<std::string, double>& by_key, Limits& limits) {
  for (const auto& [key, value] : by_key) {
    const std::optional<size_t> at = index_of(key);
    if (!at) return invalid("filters: there is no limit \"{}\"", key);
    if (!(value >= 0 && value <= kTable[*at].most))
      return invalid("filters: {} = {} is outside 0..{}", key, value, kTable[*at].most);
    limits[*at] = value;
  }
  return {};
}

}  // namespace plinth::corpus
