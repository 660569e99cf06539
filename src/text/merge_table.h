// The merges of a BPE tokenizer as a hash table, and the algorithm that applies them to one piece.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace plinth::text {

struct Merge {
  int32_t left = 0;
  int32_t right = 0;
  int32_t result = 0;
  int32_t rank = 0;  // lower merges first; several may share one
};

// Merges written "left right", in rank order. `find` gives a token's id, -1 when there is none.
Result<std::vector<Merge>> resolve_merges(std::span<const std::string> merges,
                                          const std::function<int32_t(std::string_view)>& find);

// Immutable once built; any thread.
class MergeTable {
 public:
  // A pair that is listed twice keeps its lowest rank. Ids may lie beyond the vocabulary.
  explicit MergeTable(std::span<const Merge> merges);

  // Merges `ids` (a piece as byte tokens) in place until nothing merges: the pair of lowest rank
  // first, the leftmost of equals.
  void apply(std::vector<int32_t>& ids) const;

 private:
  static constexpr int32_t kNone = INT32_MAX;

  struct Slot {
    uint64_t pair = ~uint64_t{0};
    int32_t rank = kNone;
    int32_t result = -1;
  };

  struct Found {
    int32_t rank = kNone;
    int32_t result = -1;
  };

  static uint64_t key(int32_t left, int32_t right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
  }

  size_t home(uint64_t pair) const {
    return static_cast<size_t>((pair * 0x9E3779B97F4A7C15u) >> shift_);
  }

  Found find(int32_t left, int32_t right) const;
  void apply_short(std::vector<int32_t>& ids) const;
  void apply_long(std::vector<int32_t>& ids) const;

  std::vector<Slot> slots_;  // open addressing, at most half full
  int shift_ = 63;
};

}  // namespace plinth::text
