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

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/file.h"
#include "core/result.h"

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
  std::vector<std::string_view> words;  // distinct, the first eight
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

  // Classes that reach their hits_min, in their order. Cost: a look into a table of 32 KiB per
  // character, whatever the number of words.
  std::vector<RiskHit> find(std::string_view text) const;

 private:
  struct Word {
    std::string text;
    size_t risk_class = 0;
  };

  // Words by how they begin: by so many bytes, of which a bit in a table tells first that there may
  // be any.
  class Heads {
   public:
    explicit Heads(size_t bytes) : bytes_(bytes), maybe_(kBits / 64) {}

    size_t bytes() const { return bytes_; }

    // Indices ascending; find() knows a word once finish() has been called.
    void add(std::string_view word, uint32_t index);
    void finish();
    // The words that may begin where this text does, by index.
    std::span<const uint32_t> find(std::string_view text) const;

   private:
    static constexpr size_t kBits = size_t{1} << 18;

    // Words [begin, end) of words_ have this key; begin = end: an empty slot.
    struct Slot {
      uint64_t key = 0;
      uint32_t begin = 0;
      uint32_t end = 0;
    };

    uint64_t key_of(std::string_view text) const;

    static uint64_t mixed(uint64_t key) { return key * 0x9E3779B97F4A7C15u; }

    static size_t bit_of(uint64_t key) { return mixed(key) >> 46; }

    size_t bytes_;
    std::vector<uint64_t> maybe_;
    std::vector<std::pair<uint64_t, uint32_t>> added_;  // key, index; until finish()
    std::vector<uint32_t> words_;
    std::vector<Slot> slots_;  // open addressing, at most a quarter full
  };

  Status add(std::string_view word, size_t risk_class, std::string_view where);

  std::vector<RiskClass> classes_;
  std::vector<Word> words_;
  Heads short_{3};  // words of three to five bytes
  Heads long_{6};   // two Han characters and more
  bool any_short_ = false;
};

}  // namespace plinth::corpus
