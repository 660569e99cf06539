// Equal lists of numbers get the same small number. Lists stay where they are.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

namespace plinth::grammar {

class Interner {
 public:
  int32_t id_of(std::span<const int32_t> list) {
    if ((lists_.size() + 1) * 2 > slots_.size()) grow();
    for (size_t slot = hash(list) & (slots_.size() - 1);; slot = (slot + 1) & (slots_.size() - 1)) {
      if (slots_[slot] < 0) {
        slots_[slot] = size();
        lists_.emplace_back(list.begin(), list.end());
        return slots_[slot];
      }
      if (std::ranges::equal(lists_[static_cast<size_t>(slots_[slot])], list)) return slots_[slot];
    }
  }

  std::span<const int32_t> list(int32_t id) const { return lists_[static_cast<size_t>(id)]; }

  int32_t size() const { return static_cast<int32_t>(lists_.size()); }

 private:
  static uint64_t hash(std::span<const int32_t> list) {
    uint64_t h = 0x9E3779B97F4A7C15u ^ list.size();
    for (const int32_t x : list) {
      h = (h ^ static_cast<uint32_t>(x)) * 0xFF51AFD7ED558CCDu;
      h ^= h >> 32;
    }
    return h;
  }

  void grow() {
    slots_.assign(std::max<size_t>(64, slots_.size() * 2), -1);
    for (int32_t id = 0; id < size(); ++id) {
      size_t slot = hash(list(id)) & (slots_.size() - 1);
      while (slots_[slot] >= 0) slot = (slot + 1) & (slots_.size() - 1);
      slots_[slot] = id;
    }
  }

  std::deque<std::vector<int32_t>> lists_;
  std::vector<int32_t> slots_;  // open addressing; -1: free
};

}  // namespace plinth::grammar
