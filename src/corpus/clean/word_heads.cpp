#include "corpus/clean/word_heads.h"

#include <algorithm>

namespace plinth::corpus {
namespace {

uint64_t padded8(std::string_view text) {
  uint64_t out = 0;
  if (!text.empty()) std::memcpy(&out, text.data(), std::min(text.size(), sizeof out));
  return out;
}

}  // namespace

void WordHeads::add(std::string_view text, uint32_t word, uint32_t group) {
  Added one;
  one.key = padded8(text) & mask_;
  const std::string_view rest = text.substr(bytes_);
  one.tail.head = padded8(rest);
  one.tail.mask =
      rest.size() >= sizeof(uint64_t) ? UINT64_MAX : (uint64_t{1} << 8 * rest.size()) - 1;
  one.tail.word = word;
  one.tail.bytes = static_cast<uint32_t>(rest.size());
  one.tail.group = group;
  const size_t bit = hash(one.key) >> (64 - kBitsLog);
  maybe_[bit / 64] |= uint64_t{1} << bit % 64;
  added_.push_back(one);
}

void WordHeads::finish() {
  std::stable_sort(added_.begin(), added_.end(),
                   [](const Added& a, const Added& b) { return a.key < b.key; });
  size_t size = 4;
  while (size < added_.size() * 4) size *= 2;
  slots_.assign(size, {});
  slot_mask_ = size - 1;
  for (size_t from = 0; from < added_.size();) {
    Slot slot{added_[from].key, static_cast<uint32_t>(tails_.size()), 0, added_[from].tail};
    for (; from < added_.size() && added_[from].key == slot.key; ++from, ++slot.count)
      tails_.push_back(added_[from].tail);
    size_t at = hash(slot.key) >> kSlotShift;
    while (slots_[at & slot_mask_].count != 0) ++at;
    slots_[at & slot_mask_] = slot;
  }
  added_ = {};
}

}  // namespace plinth::corpus
