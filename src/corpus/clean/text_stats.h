// What a text is made of, measured in one pass: the ground for filters and the quality score.
#pragma once

#include <cstdint>
#include <string_view>

namespace plinth::corpus {

struct TextStats {
  int64_t chars = 0;  // without white space; shares below are of these
  int64_t han = 0;
  int64_t latin = 0;
  int64_t digits = 0;
  int64_t punctuation = 0;
  int64_t stops = 0;                // marks that end a sentence or a clause
  int64_t symbols = 0;              // none of the above and no other script's letter
  int64_t broken = 0;               // U+FFFD and private use
  int64_t lines = 0;                // with text
  int64_t short_lines = 0;          // of fewer than 10 characters, some 30 in English
  int64_t bullet_lines = 0;         // that begin like items of a list
  int64_t ellipsis_lines = 0;       // that end in dots: cut short
  int64_t ended_lines = 0;          // that end in a mark of a sentence or clause
  int64_t repeated_line_chars = 0;  // in lines that came before
  int64_t runs = 0;                 // 13-character runs of letters and digits, a sample of 1 in 4
  int64_t repeated_runs = 0;        // of these, seen before

  double share(int64_t part) const {
    return chars == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(chars);
  }

  double per_line(int64_t part) const {
    return lines == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(lines);
  }

  double repeated_run_share() const {
    return runs == 0 ? 0.0 : static_cast<double>(repeated_runs) / static_cast<double>(runs);
  }
};

TextStats measure(std::string_view text);

// "zh", "en", or "und" when neither dominates.
std::string_view language_of(const TextStats& stats);

}  // namespace plinth::corpus
