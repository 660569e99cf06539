// Keeps or drops a text, with the reason in words and numbers.
//
// What is measured, and under which key of a recipe its limit stands, is one table; the limits of a
// kind of text (a profile) are another. A text goes at once when a hard limit is passed. A soft one
// raises a doubt, 0 at the limit and 1 at the worst value there is; it goes when its doubts
// together exceed 1, so that no soft limit drops anything by itself.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "corpus/clean/spam.h"
#include "corpus/clean/text_stats.h"

namespace plinth::corpus {

struct Measured {
  TextStats stats;
  SpamScore spam;
  double quality = 0;
};

struct Filter {
  std::string_view key;     // in a recipe: "chars_min"
  std::string_view stage;   // of the rejects; of a soft one "doubts"
  std::string_view reason;  // fmt, of value and limit
  double most = 1;          // a limit is 0..most
  double (*value)(const Measured&) = nullptr;
  bool whole = false;  // limits are whole numbers

  bool is_min() const { return key.ends_with("_min"); }

  bool soft() const { return stage == "doubts"; }
};

constexpr size_t kFilters = 14;
using Limits = std::array<double, kFilters>;  // in the order of filters()

// In the order in which they are asked; hard ones first.
std::span<const Filter> filters();

struct Profile {
  std::string_view name;
  Limits limits;
};

// "general" first. docs/recipes.md says where the limits come from.
std::span<const Profile> profiles();

// Null when there is none of that name.
const Profile* profile_named(std::string_view name);

// Puts limits by key over others; an unknown key or a value outside its range is an error.
Status set_limits(const std::map<std::string, double>& by_key, Limits& limits);

// The one of this key, which is one of filters().
double limit_of(std::string_view key, const Limits& limits);

struct Drop {
  std::string stage;   // "length", "language", "symbols", "repetition", "broken", "spam", ...
  std::string reason;  // "18 characters, fewer than 20"
};

struct Judged {
  std::optional<Drop> drop;
  double quality = 0;
  double doubt = 0;                 // the sum, to three digits
  std::vector<std::string> doubts;  // "share of short lines 0.812, above 0.670"
};

// 0..1 from how a text reads: sentence marks, line length, share of words, repetition, spam.
double quality_score(const TextStats& stats, double spam);

Judged judge(std::string_view text, const TextStats& stats,
             const Limits& limits = profiles()[0].limits);

}  // namespace plinth::corpus
