// Where may a word of a library begin? Words by their first bytes, for KeywordLibrary.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace plinth::corpus {

// Eight bytes at a place that has as many.
inline uint64_t load8(const char* at) {
  uint64_t out;
  std::memcpy(&out, at, sizeof out);
  return out;
}

class WordHeads {
 public:
  // A word that begins with a key: what must follow it.
  struct Tail {
    uint64_t head = 0;  // its first eight bytes, or all and zeros
    uint64_t mask = 0;  // of the bytes that count in it
    uint32_t word = 0;
    uint32_t bytes = 0;  // how many follow the key
    uint32_t group = 0;  // as add() had it
  };

  // Keys are the first `bytes` of a word, 1 to 8.
  explicit WordHeads(size_t bytes)
      : bytes_(bytes), mask_(UINT64_MAX >> (64 - 8 * bytes)), maybe_(kBits / 64) {}

  size_t bytes() const { return bytes_; }

  bool empty() const { return tails_.empty(); }

  // text: at least bytes() long. Words in ascending order; find() knows them once finish() was
  // called.
  void add(std::string_view text, uint32_t word, uint32_t group);
  void finish();

  // A key's hash: what maybe(), prefetch() and find() want. first: eight bytes, of which bytes()
  // count.
  uint64_t hash(uint64_t first) const { return (first & mask_) * 0x9E3779B97F4A7C15u; }

  // May a word begin so? One look into 16 KiB.
  bool maybe(uint64_t hash) const {
    const size_t bit = hash >> (64 - kBitsLog);
    return (maybe_[bit / 64] >> bit % 64 & 1) != 0;
  }

  void prefetch(uint64_t hash) const {
    __builtin_prefetch(&slots_[hash >> kSlotShift & slot_mask_]);
  }

  // The words that begin so, by number.
  std::span<const Tail> find(uint64_t first, uint64_t hash) const {
    const uint64_t key = first & mask_;
    for (size_t at = hash >> kSlotShift;; ++at) {
      const Slot& slot = slots_[at & slot_mask_];
      if (slot.key == key && slot.count != 0)
        return {slot.count == 1 ? &slot.only : tails_.data() + slot.begin, slot.count};
      if (slot.count == 0) return {};
    }
  }

 private:
  static constexpr int kBitsLog = 17;
  static constexpr size_t kBits = size_t{1} << kBitsLog;
  static constexpr int kSlotShift = 20;

  // One line of the cache: most keys have one word, which needs no second look.
  struct alignas(64) Slot {
    uint64_t key = 0;
    uint32_t begin = 0;
    uint32_t count = 0;  // 0: an empty slot
    Tail only;
  };

  struct Added {
    uint64_t key = 0;
    Tail tail;
  };

  size_t bytes_;
  uint64_t mask_;
  std::vector<uint64_t> maybe_;
  std::vector<Added> added_;  // until finish()
  std::vector<Tail> tails_;
  std::vector<Slot> slots_{1};  // open addressing, at most a quarter full
  size_t slot_mask_ = 0;
};

}  // namespace plinth::corpus
