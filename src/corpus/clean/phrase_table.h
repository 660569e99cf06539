// Phrases with what replaces them: which one begins here?
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace plinth::corpus {

// Immutable after finish(); any thread.
class PhraseTable {
 public:
  struct Entry {
    std::string key;  // UTF-8, not empty
    std::string value;
    uint32_t rank = 0;
  };

  void add(Entry entry) { entries_.push_back(std::move(entry)); }

  void finish();

  bool empty() const { return entries_.empty(); }

  const std::vector<Entry>& entries() const { return entries_; }

  // Of the entries that begin at byte `at` the one of the lowest rank, of these the longest; null
  // where none does. Moves `next` behind the character at `at`.
  const Entry* find(std::string_view text, size_t at, size_t& next) const;

  // The first place from `at` on where an entry may begin, or the end of the text.
  size_t skip(std::string_view text, size_t at) const;

 private:
  static constexpr uint8_t kSingle = 1;  // the character is an entry
  static constexpr uint8_t kFirst = 2;   // it begins longer ones
  static constexpr size_t kPlane = 0x10000;

  // Entries [begin, begin + count) share their first two characters; second is 0 for those of one.
  struct Slot {
    uint64_t key = 0;
    uint32_t begin = 0;
    uint32_t count = 0;  // 0: an empty slot
  };

  uint8_t flags_of(char32_t c) const { return c < kPlane ? flags_[c] : beyond_; }

  const Slot* slot_of(char32_t first, char32_t second) const;

  // May there be entries that begin so? One look into 64 KiB, which spares most into the slots.
  static constexpr int kMaybeLog = 19;

  bool maybe(uint64_t hash) const {
    const size_t bit = hash >> (64 - kMaybeLog);
    return (maybe_[bit / 64] >> bit % 64 & 1) != 0;
  }

  std::vector<Entry> entries_;  // by first two characters, then rank, then longest first
  std::vector<uint8_t> flags_ = std::vector<uint8_t>(kPlane, 0);
  uint8_t beyond_ = 0;  // of all characters outside the Basic Multilingual Plane together
  std::vector<uint32_t> singles_ = std::vector<uint32_t>(kPlane, 0);  // 1 + entry, by character
  std::vector<uint64_t> maybe_ = std::vector<uint64_t>((size_t{1} << kMaybeLog) / 64, 0);
  std::vector<Slot> slots_{1};  // open addressing, at most half full
};

}  // namespace plinth::corpus
