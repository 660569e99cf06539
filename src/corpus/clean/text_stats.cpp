#include "corpus/clean/text_stats.h"

#include <algorithm>
#include <array>
#include <vector>

#include "core/hash.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

constexpr size_t kRun = 13;
// One run in four is looked at, chosen by its hash: the same run is always in or always out, so
// that the share of repeated ones stays an unbiased estimate.
constexpr uint64_t kRunSample = 4;

// A set of 64-bit hashes by open addressing, at most half full; 0 stands for empty.
class HashSet {
 public:
  explicit HashSet(size_t expected) {
    size_t slots = 64;
    while (slots < expected * 2) slots *= 2;
    slots_.assign(slots, 0);
  }

  // True when it was there already.
  bool add(uint64_t hash) {
    hash |= 1;
    uint64_t& slot = slot_of(hash);
    if (slot == hash) return true;
    slot = hash;
    if (++used_ * 2 > slots_.size()) grow();
    return false;
  }

 private:
  uint64_t& slot_of(uint64_t hash) {
    const size_t mask = slots_.size() - 1;
    for (size_t at = (hash * 0x9E3779B97F4A7C15u) >> 20;; ++at) {
      uint64_t& slot = slots_[at & mask];
      if (slot == hash || slot == 0) return slot;
    }
  }

  void grow() {
    std::vector<uint64_t> old(slots_.size() * 2, 0);
    old.swap(slots_);
    for (const uint64_t hash : old)
      if (hash != 0) slot_of(hash) = hash;
  }

  std::vector<uint64_t> slots_;
  size_t used_ = 0;
};

constexpr uint64_t power(uint64_t base, size_t n) {
  return n == 0 ? 1 : base * power(base, n - 1);
}

// Polynomial hash of the last kRun characters.
class RunHash {
 public:
  // True once kRun characters are in; hash() is then theirs.
  bool push(char32_t c) {
    hash_ -= window_[slot_] * kLeading;  // zero until the window is full
    window_[slot_] = c + 1;
    slot_ = slot_ + 1 == kRun ? 0 : slot_ + 1;
    hash_ = hash_ * kBase + (c + 1);
    return ++count_ >= kRun;
  }

  uint64_t hash() const { return hash_; }

 private:
  static constexpr uint64_t kBase = 0x9E3779B97F4A7C15u;
  static constexpr uint64_t kLeading = power(kBase, kRun - 1);

  std::array<uint64_t, kRun> window_{};
  uint64_t hash_ = 0;
  size_t slot_ = 0;
  size_t count_ = 0;
};

void count_char(uint8_t what, TextStats& stats) {
  ++stats.chars;
  if ((what & kHanChar) != 0)
    ++stats.han;
  else if ((what & kDigitChar) != 0)
    ++stats.digits;
  else if ((what & kLatinChar) != 0)
    ++stats.latin;
  else if ((what & kPunctuationChar) != 0) {
    ++stats.punctuation;
    if ((what & kStopChar) != 0) ++stats.stops;
  } else if ((what & kBrokenChar) != 0)
    ++stats.broken;
  else if ((what & kWordChar) == 0)
    ++stats.symbols;
}

}  // namespace

TextStats measure(std::string_view text) {
  TextStats stats;
  const CharClasses& classes = CharClasses::get();
  HashSet lines(text.size() / 40 + 16), runs(text.size() / (3 * kRunSample) + 16);
  RunHash run;
  each_line(text, [&](std::string_view line) {
    line = trim(line);
    if (line.empty()) return;
    ++stats.lines;
    const int64_t before = stats.chars;
    for (size_t i = 0; i < line.size();) {
      const char32_t c = next_char(line, i);
      const uint8_t what = classes(c);
      if ((what & kSpaceChar) != 0) continue;
      count_char(what, stats);
      if ((what & kWordChar) != 0 && run.push(c) && (run.hash() >> 32) % kRunSample == 0) {
        ++stats.runs;
        stats.repeated_runs += runs.add(run.hash()) ? 1 : 0;
      }
    }
    if (lines.add(xxh3(line))) stats.repeated_line_chars += stats.chars - before;
  });
  return stats;
}

std::string_view language_of(const TextStats& stats) {
  const int64_t letters = stats.han + stats.latin;
  if (letters == 0) return "und";
  // A Han character says about as much as three Latin letters.
  if (stats.han * 3 >= stats.latin) return stats.share(stats.han) >= 0.1 ? "zh" : "und";
  return stats.share(stats.latin) >= 0.4 ? "en" : "und";
}

}  // namespace plinth::corpus
