// Keeps or drops a text, with the reason in words and numbers.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "corpus/clean/spam.h"
#include "corpus/clean/text_stats.h"
#include "corpus/corpus.h"

namespace plinth::corpus {

struct Drop {
  std::string stage;   // "length", "language", "symbols", "repetition", "broken", "spam", "quality"
  std::string reason;  // "18 characters, fewer than 20"
};

struct Judged {
  std::optional<Drop> drop;
  double quality = 0;
};

// 0..1 from how a text reads: sentence marks, line length, share of words, repetition, spam.
double quality_score(const TextStats& stats, double spam);

Judged judge(std::string_view text, const TextStats& stats, const RefineRecipe& recipe);

}  // namespace plinth::corpus
