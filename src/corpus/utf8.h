// Walking UTF-8 and asking what a character is. Inline: these run once per character.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "text/unicode.h"

namespace plinth::corpus {

constexpr char32_t kReplacement = 0xFFFD;

// The character at `at`, which moves behind it; a broken byte is U+FFFD.
inline char32_t next_char(std::string_view text, size_t& at) {
  const text::Utf8Char step = text::utf8_at(text, at);
  at += static_cast<size_t>(step.length);
  return step.code < 0 ? kReplacement : static_cast<char32_t>(step.code);
}

// next_char() with the two commonest cases in front: ASCII, and three bytes that need no look at
// forbidden ranges.
inline char32_t quick_char(std::string_view text, size_t& at) {
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

// Characters, not bytes.
size_t count_chars(std::string_view text);

// The longest prefix of at most `chars` characters.
std::string_view prefix_chars(std::string_view text, size_t chars);

inline bool is_han(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || c == 0x3007 ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x3FFFF);
}

inline bool is_digit(char32_t c) {
  return c >= '0' && c <= '9';
}

inline bool is_latin(char32_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= 0xC0 && c <= 0x24F && c != 0xD7 && c != 0xF7);
}

inline bool is_space(char32_t c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xA0 || c == 0x3000 ||
         (c >= 0x2000 && c <= 0x200B) || c == 0xFEFF;
}

// Letters of any script, Han and digits: what remains when punctuation and space are dropped.
bool is_word(char32_t c);

// Punctuation of running text, ASCII and Chinese.
bool is_punctuation(char32_t c);

// Lower case for ASCII and full-width ASCII forms folded: the key under which texts are compared.
inline char32_t fold_char(char32_t c) {
  if (c >= 0xFF01 && c <= 0xFF5E) c -= 0xFEE0;
  return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

// What a character is, as bits: for loops that ask several of the questions above.
enum CharClass : uint8_t {
  kWordChar = 1,
  kHanChar = 2,
  kDigitChar = 4,
  kLatinChar = 8,
  kPunctuationChar = 16,
  kStopChar = 32,    // ends a sentence or a clause
  kBrokenChar = 64,  // U+FFFD and private use
  kSpaceChar = 128,
};

// Looked up for the Basic Multilingual Plane.
class CharClasses {
 public:
  static const CharClasses& get();

  uint8_t operator()(char32_t c) const { return c < bits_.size() ? bits_[c] : beyond(c); }

 private:
  CharClasses();
  static uint8_t beyond(char32_t c);

  std::array<uint8_t, 0x10000> bits_{};
};

// White space at both ends removed, ideographic space included.
std::string_view trim(std::string_view text);

// Calls body(line) for each '\n'-separated line, without the newline.
template <typename Body>
void each_line(std::string_view text, Body&& body) {
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = text.find('\n', at);
    body(text.substr(at, end == text.npos ? text.npos : end - at));
    if (end == text.npos) return;
    at = end + 1;
  }
}

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> heads);
bool ends_with_any(std::string_view text, std::initializer_list<std::string_view> tails);
std::string replace_all(std::string text, std::string_view from, std::string_view to);

}  // namespace plinth::corpus
