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
    hash_ -= window_[(count_ - kRun) % kSlots] * kLeading;  // zero until the window is full
    window_[count_ % kSlots] = c + 1;
    hash_ = hash_ * kBase + (c + 1);
    return ++count_ >= kRun;
  }

  uint64_t hash() const { return hash_; }

 private:
  static constexpr uint64_t kBase = 0x9E3779B97F4A7C15u;
  static constexpr uint64_t kLeading = power(kBase, kRun - 1);
  static constexpr size_t kSlots = 16;  // a power of two above kRun

  std::array<uint64_t, kSlots> window_{};
  uint64_t hash_ = 0;
  size_t count_ = 0;
};

// n characters of one class.
void count_chars_of(uint8_t what, int64_t n, TextStats& stats) {
  if ((what & kSpaceChar) != 0) return;
  stats.chars += n;
  if ((what & kHanChar) != 0)
    stats.han += n;
  else if ((what & kDigitChar) != 0)
    stats.digits += n;
  else if ((what & kLatinChar) != 0)
    stats.latin += n;
  else if ((what & kPunctuationChar) != 0) {
    stats.punctuation += n;
    if ((what & kStopChar) != 0) stats.stops += n;
  } else if ((what & kBrokenChar) != 0)
    stats.broken += n;
  else if ((what & kWordChar) == 0)
    stats.symbols += n;
}

// next_char() with the two commonest cases in front: ASCII, and three bytes that need no look at
// forbidden ranges.
char32_t quick_char(std::string_view text, size_t& at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  if (lead < 0x80) {
    ++at;
    return lead;
  }
  if (lead >= 0xE1 && lead <= 0xEC && at + 2 < text.size()) {
    const auto b = static_cast<unsigned char>(text[at + 1]),
               c = static_cast<unsigned char>(text[at + 2]);
    if ((b & 0xC0) == 0x80 && (c & 0xC0) == 0x80) {
      at += 3;
      return (lead & 0x0Fu) << 12 | (b & 0x3Fu) << 6 | (c & 0x3Fu);
    }
  }
  return next_char(text, at);
}

}  // namespace

TextStats measure(std::string_view text) {
  TextStats stats;
  const CharClasses& classes = CharClasses::get();
  HashSet lines(text.size() / 40 + 16), runs(text.size() / (3 * kRunSample) + 16);
  RunHash run;
  std::array<int64_t, 256> counts{};  // of characters, by class
  each_line(text, [&](std::string_view line) {
    line = trim(line);
    if (line.empty()) return;
    ++stats.lines;
    int64_t chars = 0;
    for (size_t i = 0; i < line.size();) {
      const char32_t c = quick_char(line, i);
      const uint8_t what = classes(c);
      ++counts[what];
      chars += (what & kSpaceChar) == 0 ? 1 : 0;
      if ((what & kWordChar) != 0 && run.push(c) && (run.hash() >> 32) % kRunSample == 0) {
        ++stats.runs;
        stats.repeated_runs += runs.add(run.hash()) ? 1 : 0;
      }
    }
    if (lines.add(xxh3(line))) stats.repeated_line_chars += chars;
  });
  for (size_t what = 0; what < counts.size(); ++what)
    count_chars_of(static_cast<uint8_t>(what), counts[what], stats);
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
