#include "text/plausibility.h"

#include <unicode/uchar.h>
#include <unicode/utf16.h>

#include <cmath>
#include <vector>

#include "text/han_frequency.h"
#include "text/unicode.h"

namespace plinth::text {

namespace {

// The costs are rounded: -log2 of relative frequencies in mixed Chinese and Latin text. Only their
// order of magnitude matters, since right and wrong readings differ by several bits a character.
constexpr float kNeverBits = 30;  // U+FFFD, controls, unassigned
constexpr float kPrivateUseBits = 28;
constexpr float kForeignBits = 20;  // any other script
constexpr float kRareHanBits = 17;
constexpr float kVeryRareHanBits = 23;
constexpr float kScriptChangeBits = 2;

float ascii_bits(int32_t code) {
  if (code == ' ') return 5;
  if (code == '\n' || code == '\r') return 6;
  if (code == '\t') return 8;
  if (code < 0x20 || code == 0x7F) return kNeverBits;
  if (code >= 'a' && code <= 'z') return 6;
  if (code >= '0' && code <= '9') return 6.5F;
  return 8;  // upper case and punctuation
}

// Zipf's law with an offset, p(rank) = 0.25 / (rank + 25): within a fifth of the counts that
// han_frequency.cpp comes from, over its whole range.
float han_bits(int32_t code) {
  const int rank = han_rank(code);
  if (rank > 0) return std::log2(static_cast<float>(rank + 25) / 0.25F);
  return code >= 0x4E00 && code <= 0x9FFF ? kRareHanBits : kVeryRareHanBits;
}

float latin_bits(int32_t code) {
  if (code < 0xA0) return kNeverBits;  // C1 controls
  if (code < 0xC0) return 14;
  return 11;
}

float punctuation_bits(int32_t code) {
  switch (code) {
    case 0x3001:
    case 0x3002:
    case 0xFF0C:  // 、。，
      return 5.5F;
    case 0x300A:
    case 0x300B:
    case 0xFF01:
    case 0xFF08:
    case 0xFF09:
    case 0xFF1A:
    case 0xFF1B:
    case 0xFF1F:
    case 0x3000:
    case 0x201C:
    case 0x201D:  // 《》！（）：；？ and quotes
      return 8;
    default:
      return 12;
  }
}

float other_bits(int32_t code) {
  if (code >= 0x2000 && code < 0x2070) return punctuation_bits(code);
  if (code >= 0x3000 && code < 0x3040) return punctuation_bits(code);
  if (code >= 0xFF00 && code < 0xFF61) return punctuation_bits(code);
  if (code >= 0xFFF0 && code <= 0xFFFF) return kNeverBits;
  if (is_han(code)) return han_bits(code);
  if (code >= 0x3040 && code < 0x3100) return 15;    // kana
  if (code < 0x530) return 15;                       // extended Latin, Greek, Cyrillic
  if (code >= 0x2100 && code < 0x2700) return 15;    // arrows, numbers in circles, boxes
  if (code >= 0x1F300 && code < 0x1FB00) return 16;  // emoji
  switch (u_charType(code)) {
    case U_PRIVATE_USE_CHAR:
      return kPrivateUseBits;
    case U_UNASSIGNED:
    case U_SURROGATE:
    case U_CONTROL_CHAR:
      return kNeverBits;
    default:
      return kForeignBits;
  }
}

// The Basic Multilingual Plane in one table: scoring is a sum of look-ups.
const std::vector<float>& plane_zero() {
  static const std::vector<float> table = [] {
    std::vector<float> bits(0x10000);
    for (int32_t code = 0; code < 0x10000; ++code)
      bits[static_cast<size_t>(code)] = code < 0x80    ? ascii_bits(code)
                                        : code < 0x100 ? latin_bits(code)
                                                       : other_bits(code);
    return bits;
  }();
  return table;
}

bool is_lower_latin(int32_t code) {
  return (code >= 'a' && code <= 'z') || (code >= 0xC0 && code < 0x100);
}

class Adder {
 public:
  void add(int32_t code) {
    if (code < 0) code = 0xFFFD;
    bits_ += code < 0x10000 ? table_[static_cast<size_t>(code)] : other_bits(code);
    // A Chinese character inside a Latin word: what Latin-1 looks like when read as GBK.
    if ((is_lower_latin(code) && is_han(last_)) || (is_han(code) && is_lower_latin(last_)))
      bits_ += kScriptChangeBits;
    last_ = code;
  }

  double bits() const { return bits_; }

 private:
  const std::vector<float>& table_ = plane_zero();
  double bits_ = 0;
  int32_t last_ = 0;
};

}  // namespace

double text_bits(std::u16string_view text) {
  Adder adder;
  for (size_t at = 0; at < text.size();) {
    int32_t code = 0;
    U16_NEXT(text.data(), at, text.size(), code);
    adder.add(code);
  }
  return adder.bits();
}

double text_bits(std::string_view utf8) {
  Adder adder;
  for (size_t at = 0; at < utf8.size();) {
    const Utf8Char c = utf8_at(utf8, at);
    adder.add(c.code);
    at += static_cast<size_t>(c.length);
  }
  return adder.bits();
}

}  // namespace plinth::text
