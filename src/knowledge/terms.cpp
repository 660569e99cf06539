#include "knowledge/terms.h"

#include "knowledge/utf8.h"

namespace plinth::knowledge {
namespace {

constexpr double kSingleWeight = 0.25;
constexpr size_t kWordMax = 64;  // bytes: a longer run (base64, a hash) is cut

bool is_ideograph(char32_t c) {
  return (c >= 0x3400 && c <= 0x9fff) || (c >= 0xf900 && c <= 0xfaff) ||
         (c >= 0x20000 && c <= 0x3ffff) ||  // Han
         (c >= 0x3040 && c <= 0x30ff) || (c >= 0xac00 && c <= 0xd7a3) ||
         c == 0x3007;  // kana, Hangul, 〇
}

bool is_word(char32_t c) {
  if (c < 0x80) return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
  // Letters of other scripts: past the Latin-1 signs, before the general punctuation.
  return (c >= 0xc0 && c < 0x2000 && c != 0xd7 && c != 0xf7) || (c >= 0x2c00 && c < 0x2e00);
}

char32_t fold(char32_t c) {
  if (c >= 0xff01 && c <= 0xff5e) c -= 0xfee0;  // full-width forms
  if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
  return c;
}

}  // namespace

std::vector<std::string> terms_of(std::string_view text) {
  std::vector<std::string> terms;
  std::string word;
  std::string_view before;  // the ideograph right before this place
  const auto end_word = [&] {
    if (!word.empty()) terms.push_back(std::move(word));
    word.clear();
  };
  for (size_t at = 0; at < text.size();) {
    const CodePoint raw = code_point(text, at);
    const std::string_view bytes = text.substr(at, raw.bytes);
    at += raw.bytes;
    const char32_t c = fold(raw.value);
    if (is_ideograph(c)) {
      end_word();
      terms.emplace_back(bytes);
      if (!before.empty()) terms.push_back(std::string(before) + std::string(bytes));
      before = bytes;
      continue;
    }
    before = {};
    if (!is_word(c)) {
      end_word();
      continue;
    }
    if (c < 0x80)
      word += static_cast<char>(c);
    else
      word += bytes;
    if (word.size() >= kWordMax) end_word();
  }
  end_word();
  return terms;
}

double term_weight(std::string_view term) {
  const CodePoint first = code_point(term, 0);
  return is_ideograph(first.value) && first.bytes == term.size() ? kSingleWeight : 1.0;
}

}  // namespace plinth::knowledge
