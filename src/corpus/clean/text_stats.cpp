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

bool begins_item(char32_t first, std::string_view line) {
  static constexpr std::u32string_view kBullets = U"•·●○■▪◆▶►";
  if (first < 0x80)
    return (first == '-' || first == '*' || first == '+') && line.size() > 1 && line[1] == ' ';
  return (first == 0xB7 || (first >= 0x2022 && first < 0x2600)) &&
         kBullets.find(first) != kBullets.npos;
}

bool ends_clause(char32_t last) {
  static constexpr std::u32string_view kEnds = U".,;:!?\")。，；：！？”」』）";
  return (last < 0x80 || last >= 0x2000) && !(last >= 0x3400 && last < 0xFF00) &&
         kEnds.find(last) != kEnds.npos;
}

// What a line says by how it begins and ends. It is not empty.
void note_line(std::string_view line, int64_t chars, TextStats& stats) {
  constexpr int64_t kShortLine = 10;
  size_t first = 0, last = line.size() - 1;
  while (last > 0 && (static_cast<unsigned char>(line[last]) & 0xC0) == 0x80) --last;
  const char32_t end = quick_char(line.substr(last), first);
  first = 0;
  stats.short_lines += chars < kShortLine ? 1 : 0;
  stats.bullet_lines += begins_item(quick_char(line, first), line) ? 1 : 0;
  if (end == U'…' || line.ends_with("..."))
    ++stats.ellipsis_lines;
  else
    stats.ended_lines += ends_clause(end) ? 1 : 0;
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
    note_line(line, chars, stats);
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
