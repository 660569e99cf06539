#include "text/charsmap.h"

#include <cstring>

namespace plinth::text {

namespace {

// A unit of the double array.
constexpr bool has_leaf(uint32_t unit) {
  return (unit >> 8 & 1) == 1;
}

constexpr uint32_t value(uint32_t unit) {
  return unit & 0x7FFF'FFFFu;
}

constexpr uint32_t label(uint32_t unit) {
  return unit & 0x8000'00FFu;
}

constexpr uint32_t offset(uint32_t unit) {
  return unit >> 10 << ((unit & 0x200u) >> 6);
}

}  // namespace

Result<Charsmap> Charsmap::create(std::string_view bytes) {
  uint32_t trie_bytes = 0;
  if (bytes.size() < sizeof trie_bytes)
    return invalid("charsmap: {} bytes are too few", bytes.size());
  std::memcpy(&trie_bytes, bytes.data(), sizeof trie_bytes);
  bytes.remove_prefix(sizeof trie_bytes);
  if (trie_bytes > bytes.size() || trie_bytes % sizeof(uint32_t) != 0 || trie_bytes == 0)
    return invalid("charsmap: a trie of {} bytes in {}", trie_bytes, bytes.size());
  Charsmap map;
  map.units_.resize(trie_bytes / sizeof(uint32_t));
  std::memcpy(map.units_.data(), bytes.data(), trie_bytes);
  map.replacements_ = bytes.substr(trie_bytes);
  if (map.replacements_.empty() || map.replacements_.back() != '\0')
    return invalid("charsmap: the replacements do not end in a zero byte");
  return map;
}

std::optional<Charsmap::Match> Charsmap::find(std::string_view text) const {
  std::optional<Match> longest;
  size_t at = offset(units_[0]);
  for (size_t i = 0; i < text.size(); ++i) {
    at ^= static_cast<unsigned char>(text[i]);
    if (at >= units_.size()) break;
    const uint32_t unit = units_[at];
    if (label(unit) != static_cast<unsigned char>(text[i])) break;
    at ^= offset(unit);
    if (at >= units_.size()) break;
    if (!has_leaf(unit)) continue;
    const size_t begin = value(units_[at]);
    if (begin >= replacements_.size()) break;
    longest = Match{replacements_.c_str() + begin, i + 1};
  }
  return longest;
}

}  // namespace plinth::text
