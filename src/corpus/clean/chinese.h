// Traditional and simplified Chinese, by OpenCC's configurations and dictionaries.
//
// The dictionaries are read through libopencc once; the conversion is ours and gives what OpenCC
// gives, byte by byte, some fifty times as fast (docs/decisions/0036-opencc.md). It works within
// lines: a text's lines are converted as they would be alone.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "corpus/clean/phrase_table.h"

namespace plinth::corpus {

// "t2s", "tw2sp", ...: what open() knows.
std::span<const std::string_view> chinese_conversions();

// Immutable once opened; any thread.
class ChineseConverter {
 public:
  ChineseConverter() = default;  // changes nothing

  // One of chinese_conversions(). Reads the dictionaries of the installed OpenCC.
  static Result<ChineseConverter> open(const std::string& name);

  // Changes nothing?
  bool empty() const { return stages_.empty(); }

  struct Converted {
    std::string text;
    int64_t replaced = 0;  // characters and phrases that became others, at each stage
  };

  // text: UTF-8.
  Converted convert(std::string_view text) const;

  // SHA-256 of all entries in their order: equal hashes convert alike.
  const std::string& sha256() const { return sha256_; }

 private:
  // Through the stages from `first` on, behind what `out` holds.
  void convert_run(std::string_view run, Converted& out) const;

  // OpenCC cuts a text at the phrases of one dictionary first; the stages see the phrases and what
  // is between them, each by itself. Values here are what the stages make of the phrases.
  PhraseTable phrases_;
  std::vector<PhraseTable> stages_;
  std::string sha256_;
};

}  // namespace plinth::corpus
