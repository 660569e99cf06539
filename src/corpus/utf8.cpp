#include "corpus/utf8.h"

#include <algorithm>

namespace plinth::corpus {

size_t count_chars(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string_view prefix_chars(std::string_view text, size_t chars) {
  size_t at = 0;
  while (at < text.size() && chars > 0) {
    next_char(text, at);
    --chars;
  }
  return text.substr(0, at);
}

bool is_word(char32_t c) {
  if (c < 0x80) return is_digit(c) || is_latin(c);
  if (is_han(c) || is_latin(c)) return true;
  return (c >= 0x370 && c <= 0x1FFF) || (c >= 0x3041 && c <= 0x30FA) ||
         (c >= 0x3105 && c <= 0x318E) || (c >= 0xAC00 && c <= 0xD7A3) ||
         (c >= 0xFF10 && c <= 0xFF19) || (c >= 0xFF21 && c <= 0xFF3A) ||
         (c >= 0xFF41 && c <= 0xFF5A);
}

bool is_punctuation(char32_t c) {
  if (c < 0x80) return c > ' ' && c < 0x7F && !is_digit(c) && !is_latin(c);
  return (c >= 0x3001 && c <= 0x3003) || (c >= 0x3008 && c <= 0x3011) ||
         (c >= 0x3014 && c <= 0x301F) || (c >= 0x2010 && c <= 0x2027) || c == 0xB7 ||
         (c >= 0xFF01 && c <= 0xFF0F) || (c >= 0xFF1A && c <= 0xFF20) ||
         (c >= 0xFF3B && c <= 0xFF40) || (c >= 0xFF5B && c <= 0xFF65);
}

namespace {

uint8_t class_of(char32_t c) {
  const bool stop = c == U'。' || c == U'，' || c == U'；' || c == U'！' || c == U'？' ||
                    c == U'、' || c == U'：' || c == '.' || c == ',' || c == ';' || c == '!' ||
                    c == '?' || c == ':';
  const bool broken = c == kReplacement || (c >= 0xE000 && c < 0xF900);
  return static_cast<uint8_t>((is_word(c) ? kWordChar : 0) | (is_han(c) ? kHanChar : 0) |
                              (is_digit(c) ? kDigitChar : 0) | (is_latin(c) ? kLatinChar : 0) |
                              (is_punctuation(c) ? kPunctuationChar : 0) | (stop ? kStopChar : 0) |
                              (broken ? kBrokenChar : 0) | (is_space(c) ? kSpaceChar : 0));
}

}  // namespace

CharClasses::CharClasses() {
  for (char32_t c = 0; c < bits_.size(); ++c) bits_[c] = class_of(c);
}

const CharClasses& CharClasses::get() {
  static const CharClasses kClasses;
  return kClasses;
}

uint8_t CharClasses::beyond(char32_t c) {
  return class_of(c);
}

std::string_view trim(std::string_view text) {
  const auto one = [](std::string_view t, bool front) -> size_t {
    if (t.empty()) return 0;
    const auto at_end = [&](std::string_view what) {
      return front ? t.starts_with(what) : t.ends_with(what);
    };
    const char edge = front ? t.front() : t.back();
    if (edge == ' ' || (edge >= '\t' && edge <= '\r')) return 1;
    if (at_end("\u3000") || at_end("\u200B") || at_end("\uFEFF")) return 3;
    return at_end("\u00A0") ? 2 : 0;
  };
  while (const size_t n = one(text, true)) text.remove_prefix(n);
  while (const size_t n = one(text, false)) text.remove_suffix(n);
  return text;
}

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> heads) {
  return std::any_of(heads.begin(), heads.end(), [&](auto head) { return text.starts_with(head); });
}

bool ends_with_any(std::string_view text, std::initializer_list<std::string_view> tails) {
  return std::any_of(tails.begin(), tails.end(), [&](auto tail) { return text.ends_with(tail); });
}

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

}  // namespace plinth::corpus
