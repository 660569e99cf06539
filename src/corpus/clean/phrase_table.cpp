#include "corpus/clean/phrase_table.h"

#include <algorithm>

#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

uint64_t pair_key(char32_t first, char32_t second) {
  return static_cast<uint64_t>(first) << 32 | second;
}

// Of a key's first two characters; the second is 0 when there is none.
uint64_t head_of(std::string_view key) {
  size_t at = 0;
  const char32_t first = next_char(key, at);
  return pair_key(first, at < key.size() ? next_char(key, at) : 0);
}

uint64_t hash_of(uint64_t key) {
  return key * 0x9E3779B97F4A7C15u;
}

size_t slot_at(uint64_t hash) {
  return hash >> 32;
}

}  // namespace

void PhraseTable::finish() {
  std::stable_sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    const uint64_t left = head_of(a.key), right = head_of(b.key);
    if (left != right) return left < right;
    return a.rank != b.rank ? a.rank < b.rank : a.key.size() > b.key.size();
  });
  size_t slots = 1;
  while (slots < entries_.size() * 2 + 1) slots *= 2;
  slots_.assign(slots, {});
  for (size_t begin = 0; begin < entries_.size();) {
    const uint64_t head = head_of(entries_[begin].key);
    size_t end = begin;
    while (end < entries_.size() && head_of(entries_[end].key) == head) ++end;
    const auto first = static_cast<char32_t>(head >> 32);
    (first < kPlane ? flags_[first] : beyond_) |= (head & 0xFFFFFFFF) == 0 ? kSingle : kFirst;
    if ((head & 0xFFFFFFFF) == 0 && first < kPlane)
      singles_[first] = static_cast<uint32_t>(begin + 1);
    const uint64_t hash = hash_of(head), bit = hash >> (64 - kMaybeLog);
    maybe_[bit / 64] |= uint64_t{1} << bit % 64;
    size_t at = slot_at(hash);
    while (slots_[at & (slots - 1)].count != 0) ++at;
    slots_[at & (slots - 1)] = {head, static_cast<uint32_t>(begin),
                                static_cast<uint32_t>(end - begin)};
    begin = end;
  }
}

const PhraseTable::Slot* PhraseTable::slot_of(char32_t first, char32_t second) const {
  const uint64_t key = pair_key(first, second), hash = hash_of(key);
  if (!maybe(hash)) return nullptr;
  for (size_t at = slot_at(hash);; ++at) {
    const Slot& slot = slots_[at & (slots_.size() - 1)];
    if (slot.count == 0) return nullptr;
    if (slot.key == key) return &slot;
  }
}

const PhraseTable::Entry* PhraseTable::find(std::string_view text, size_t at, size_t& next) const {
  next = at;
  const char32_t first = quick_char(text, next);
  const uint8_t flags = flags_of(first);
  const Entry* best = nullptr;
  if (first < kPlane) {
    if (singles_[first] != 0) best = &entries_[singles_[first] - 1];
  } else if ((flags & kSingle) != 0) {
    if (const Slot* slot = slot_of(first, 0)) best = &entries_[slot->begin];
  }
  if ((flags & kFirst) == 0 || next >= text.size()) return best;
  size_t unused = next;
  const Slot* slot = slot_of(first, quick_char(text, unused));
  if (slot == nullptr) return best;
  const std::string_view rest = text.substr(at);
  for (size_t i = slot->begin; i < slot->begin + slot->count; ++i)
    if (rest.starts_with(entries_[i].key))
      return best != nullptr && best->rank < entries_[i].rank ? best : &entries_[i];
  return best;
}

size_t PhraseTable::skip(std::string_view text, size_t at) const {
  while (at < text.size()) {
    size_t next = at;
    if (flags_of(quick_char(text, next)) != 0) return at;
    at = next;
  }
  return at;
}

}  // namespace plinth::corpus
