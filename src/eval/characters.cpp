#include "eval/characters.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/stringpiece.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>

namespace plinth::eval {
namespace {

// NFKC with case folding, which is what ICU keeps ready; the text itself when ICU has no data.
std::string folded(std::string_view utf8) {
  UErrorCode status = U_ZERO_ERROR;
  const auto* normalizer = icu::Normalizer2::getNFKCCasefoldInstance(status);
  if (U_FAILURE(status)) return std::string(utf8);
  std::string out;
  icu::StringByteSink<std::string> sink(&out);
  normalizer->normalizeUTF8(0, icu::StringPiece(utf8.data(), static_cast<int32_t>(utf8.size())),
                            sink, nullptr, status);
  return U_FAILURE(status) ? std::string(utf8) : out;
}

bool is_word(char32_t c) {
  return c < 0x80 && u_isalnum(static_cast<UChar32>(c));
}

bool is_digit(char32_t c) {
  return c >= U'0' && c <= U'9';
}

// Whether a number or Latin word goes on across the border between text[at - 1] and text[at].
bool cuts_a_word(std::u32string_view text, size_t at) {
  if (at == 0 || at >= text.size()) return false;
  const char32_t left = text[at - 1];
  const char32_t right = text[at];
  if (is_word(left) && is_word(right)) return true;
  const auto is_mark = [](char32_t c) { return c == U'.' || c == U','; };
  return (is_mark(left) && is_digit(right) && at >= 2 && is_digit(text[at - 2])) ||
         (is_mark(right) && is_digit(left) && at + 1 < text.size() && is_digit(text[at + 1]));
}

std::u32string without_spaces(std::string_view utf8) {
  std::u32string points = code_points(folded(utf8));
  std::erase_if(points, [](char32_t c) { return u_isUWhiteSpace(static_cast<UChar32>(c)) != 0; });
  return points;
}

}  // namespace

std::u32string code_points(std::string_view utf8) {
  std::u32string points;
  points.reserve(utf8.size() / 2);
  const auto* bytes = reinterpret_cast<const uint8_t*>(utf8.data());
  const auto size = static_cast<int64_t>(utf8.size());
  for (int64_t at = 0; at < size;) {
    UChar32 point = 0;
    U8_NEXT(bytes, at, size, point);
    points.push_back(point < 0 ? U'\uFFFD' : static_cast<char32_t>(point));
  }
  return points;
}

int64_t count_characters(std::string_view utf8) {
  return std::ssize(code_points(utf8));
}

std::u32string normalised(std::string_view utf8) {
  std::u32string points = code_points(folded(utf8));
  std::erase_if(points, [](char32_t c) {
    const auto point = static_cast<UChar32>(c);
    return u_isUWhiteSpace(point) || u_ispunct(point) || u_iscntrl(point);
  });
  return points;
}

bool states(std::string_view answer, std::string_view wanted) {
  const std::u32string text = without_spaces(answer);
  const std::u32string part = without_spaces(wanted);
  if (part.empty()) return false;
  for (size_t at = text.find(part); at != std::u32string::npos; at = text.find(part, at + 1))
    if (!cuts_a_word(text, at) && !cuts_a_word(text, at + part.size())) return true;
  return false;
}

double character_f1(std::u32string_view a, std::u32string_view b) {
  if (a.empty() && b.empty()) return 1;
  std::u32string x(a);
  std::u32string y(b);
  std::ranges::sort(x);
  std::ranges::sort(y);
  std::u32string common;
  std::ranges::set_intersection(x, y, std::back_inserter(common));
  return 2.0 * static_cast<double>(common.size()) / static_cast<double>(x.size() + y.size());
}

}  // namespace plinth::eval
