// Compliance by keywords: a library of words in risk classes, given by the user as a TOML file.
//
//   [[class]]
//   id = "a1-6"                    # in rules, reasons and reports
//   name = "宣扬暴力、淫秽色情"
//   action = "drop"                # or "mark": the document stays, its rules name the class
//   hits_min = 2                   # occurrences before the class counts; default 1
//   words = ["...", "..."]         # at least two Han or three other characters each
//
// A word is a hint and no proof: "mark" and a review (review.h) are the rule, "drop" the exception.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"
#include "core/result.h"
#include "corpus/clean/word_heads.h"

namespace plinth::corpus {

struct RiskClass {
  std::string id;
  std::string name;
  bool drop = false;
  int64_t hits_min = 1;
};

// What of a class is in a text.
struct RiskHit {
  size_t risk_class = 0;  // index into classes()
  int64_t hits = 0;
  std::vector<std::string_view> words;  // distinct, at most eight
};

// Immutable once read; any thread.
class KeywordLibrary {
 public:
  KeywordLibrary() = default;  // holds nothing

  static Result<KeywordLibrary> read(const Path& path);
  static Result<KeywordLibrary> parse(std::string_view toml, std::string_view name);

  bool empty() const { return words_.empty(); }

  size_t size() const { return words_.size(); }

  const std::vector<RiskClass>& classes() const { return classes_; }

  // Classes that reach their hits_min, in their order. text: UTF-8. Cost: a look into
  // each of two or three tables of 16 KiB per character, and another one per word found, whatever
  // the number of words.
  std::vector<RiskHit> find(std::string_view text) const;

 private:
  struct Word {
    std::string text;
    size_t risk_class = 0;
  };

  Status add(std::string_view word, size_t risk_class, std::string_view where);
  // Counts the words that begin in [at, end) of `text`; behind `end` there are 16 bytes to read.
  void scan(std::string_view text, size_t& at, size_t end, std::vector<RiskHit>& all) const;
  void note(const WordHeads::Tail& tail, std::string_view rest, RiskHit& hit) const;

  std::vector<RiskClass> classes_;
  std::vector<Word> words_;
  // By length: three to five bytes; two Han characters; more. A text's commonest pairs of
  // characters begin many words, three characters few.
  static constexpr size_t kTables = 3;
  std::array<WordHeads, kTables> heads_{WordHeads(3), WordHeads(6), WordHeads(8)};
};

}  // namespace plinth::corpus
