// Code points of UTF-8 that may be broken: each bad byte is one U+FFFD. Private to knowledge.
#pragma once

#include <cstdint>
#include <string_view>

namespace plinth::knowledge {

struct CodePoint {
  char32_t value = 0;
  size_t bytes = 0;
};

// The code point at text[at], at < text.size().
inline CodePoint code_point(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  const size_t bytes = first >= 0xf0 && first < 0xf5 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first >= 0xf5 || text.size() - at < bytes) return {0xfffd, 1};
  char32_t value = first & (0xffu >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {0xfffd, 1};
    value = (value << 6) | (byte(i) & 0x3fu);
  }
  return {value, bytes};
}

inline int64_t characters(std::string_view text) {
  int64_t n = 0;
  for (size_t at = 0; at < text.size(); at += code_point(text, at).bytes) ++n;
  return n;
}

}  // namespace plinth::knowledge
