// Unicode text: walking UTF-8 that may be broken, classes of characters, normal forms.
//
// Free functions without state; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace plinth::text {

// One step through UTF-8.
struct Utf8Char {
  int32_t code = -1;  // -1: the byte here does not begin a well-formed character
  int length = 1;     // bytes taken; 1 for a broken byte
};

// The character at text[at]; at < text.size(). Refuses overlong forms, surrogates and values
// beyond U+10FFFF, as the Unicode standard's table 3-7 does.
inline Utf8Char utf8_at(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const auto follows = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const unsigned lead = byte(0);
  const size_t left = text.size() - at;
  if (lead < 0x80) return {static_cast<int32_t>(lead), 1};
  if (lead < 0xC2) return {};
  if (lead < 0xE0) {
    if (left < 2 || !follows(1)) return {};
    return {static_cast<int32_t>((lead & 0x1F) << 6 | (byte(1) & 0x3Fu)), 2};
  }
  if (lead < 0xF0) {
    if (left < 3 || !follows(1) || !follows(2)) return {};
    const unsigned code = (lead & 0x0F) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
    if (code < 0x800 || (code >= 0xD800 && code < 0xE000)) return {};
    return {static_cast<int32_t>(code), 3};
  }
  if (lead > 0xF4 || left < 4 || !follows(1) || !follows(2) || !follows(3)) return {};
  const unsigned code =
      (lead & 0x07) << 18 | (byte(1) & 0x3Fu) << 12 | (byte(2) & 0x3Fu) << 6 | (byte(3) & 0x3Fu);
  if (code < 0x10000 || code > 0x10FFFF) return {};
  return {static_cast<int32_t>(code), 4};
}

bool is_valid_utf8(std::string_view text);

// Appends one character; code is a scalar value (not a surrogate, at most U+10FFFF).
void append_utf8(int32_t code, std::string& out);

// Each maximal broken part becomes one U+FFFD (the practice the Unicode standard recommends,
// section 3.9 "U+FFFD Substitution of Maximal Subparts").
std::string to_valid_utf8(std::string_view text);

// Chinese characters, with their extensions, compatibility forms and 〇.
constexpr bool is_han(int32_t code) {
  return (code >= 0x4E00 && code <= 0x9FFF) || (code >= 0x3400 && code <= 0x4DBF) ||
         (code >= 0xF900 && code <= 0xFAFF) || (code >= 0x20000 && code <= 0x323AF) ||
         code == 0x3007;
}

struct CharacterCounts {
  int64_t total = 0;
  int64_t han = 0;
  int64_t letters = 0;      // of any other script
  int64_t digits = 0;       // decimal digits of any script
  int64_t spaces = 0;       // line breaks too
  int64_t punctuation = 0;  // and symbols
  int64_t broken = 0;       // bytes that are not UTF-8, U+FFFD, private use, controls, unassigned
};

CharacterCounts count_characters(std::string_view utf8);

// Clean text for a corpus, as NFKC would have it but with care for Chinese:
//   - full-width letters and digits become ASCII, half-width kana full-width, ligatures letters;
//   - compatibility ideographs and Kangxi radicals become the characters they stand for;
//   - Chinese punctuation stays (，。：；！？（）“”), so do ① ² ½ ㎡ ℃ …: no digit is invented;
//   - control characters, byte order marks, zero-width spaces and direction marks go;
//   - line breaks become \n; runs of spaces become one, none at the end of a line; ASCII spaces and
//     tabs at the beginning of a line stay (code), ideographic ones go (paragraph indents);
//   - everything is in NFC, broken UTF-8 becomes U+FFFD.
// Normalising twice changes nothing.
std::string normalize_text(std::string_view text);

// Unicode NFC. Text that is not valid UTF-8 comes back as it is: its broken bytes must survive.
std::string to_nfc(std::string_view text);

}  // namespace plinth::text
