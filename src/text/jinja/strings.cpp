#include "text/jinja/strings.h"

#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>

#include "text/unicode.h"

namespace plinth::text::jinja {

namespace {

// str.isspace(): Unicode's white space and the four ASCII separators.
bool is_space(int32_t code) {
  return code >= 0 && (u_isUWhiteSpace(code) != 0 || (code >= 0x1C && code <= 0x1F));
}

bool is_space(std::string_view character) {
  return is_space(utf8_at(character, 0).code);
}

icu::UnicodeString to_icu(std::string_view text) {
  return icu::UnicodeString::fromUTF8(
      icu::StringPiece(text.data(), static_cast<int32_t>(text.size())));
}

std::string from_icu(const icu::UnicodeString& text) {
  std::string out;
  text.toUTF8String(out);
  return out;
}

}  // namespace

std::vector<std::string_view> characters(std::string_view text) {
  std::vector<std::string_view> out;
  for (size_t at = 0; at < text.size();) {
    const auto length = static_cast<size_t>(utf8_at(text, at).length);
    out.push_back(text.substr(at, length));
    at += length;
  }
  return out;
}

int64_t character_count(std::string_view text) {
  int64_t count = 0;
  for (size_t at = 0; at < text.size(); ++count)
    at += static_cast<size_t>(utf8_at(text, at).length);
  return count;
}

std::string_view strip(std::string_view text, std::optional<std::string_view> set,
                       StripSides sides) {
  const std::vector<std::string_view> wanted =
      set ? characters(*set) : std::vector<std::string_view>();
  const auto drop = [&](std::string_view character) {
    if (!set) return is_space(character);
    return std::find(wanted.begin(), wanted.end(), character) != wanted.end();
  };
  while (sides.left && !text.empty()) {
    const auto length = static_cast<size_t>(utf8_at(text, 0).length);
    if (!drop(text.substr(0, length))) break;
    text.remove_prefix(length);
  }
  while (sides.right && !text.empty()) {
    size_t start = text.size() - 1;
    while (start > 0 && text.size() - start < 4 &&
           (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80)
      --start;
    if (static_cast<size_t>(utf8_at(text, start).length) != text.size() - start)
      start = text.size() - 1;  // a broken byte
    if (!drop(text.substr(start))) break;
    text.remove_suffix(text.size() - start);
  }
  return text;
}

namespace {

// One pass from the near end; what is left after the last cut stays whole.
std::vector<std::string> split_at_spaces(std::string_view text, int64_t splits_max,
                                         bool from_right) {
  text = strip(text, std::nullopt, {true, true});
  std::vector<std::string_view> all = characters(text);
  if (from_right) std::reverse(all.begin(), all.end());
  std::vector<std::string> out;
  const auto put = [&](size_t first, size_t last) {
    const char* begin = from_right ? all[last - 1].data() : all[first].data();
    const char* end = from_right ? all[first].data() + all[first].size()
                                 : all[last - 1].data() + all[last - 1].size();
    out.emplace_back(begin, end);
  };
  for (size_t at = 0; at < all.size();) {
    size_t end = at;
    if (splits_max >= 0 && static_cast<int64_t>(out.size()) == splits_max)
      end = all.size();
    else
      while (end < all.size() && !is_space(all[end])) ++end;
    put(at, end);
    while (end < all.size() && is_space(all[end])) ++end;
    at = end;
  }
  if (from_right) std::reverse(out.begin(), out.end());
  return out;
}

}  // namespace

std::vector<std::string> split(std::string_view text, std::optional<std::string_view> separator,
                               int64_t splits_max, bool from_right) {
  if (!separator) return split_at_spaces(text, splits_max, from_right);
  std::vector<std::string> out;
  while (splits_max < 0 || static_cast<int64_t>(out.size()) < splits_max) {
    const size_t hit = from_right ? text.rfind(*separator) : text.find(*separator);
    if (hit == text.npos) break;
    if (from_right) {
      out.emplace_back(text.substr(hit + separator->size()));
      text = text.substr(0, hit);
    } else {
      out.emplace_back(text.substr(0, hit));
      text = text.substr(hit + separator->size());
    }
  }
  out.emplace_back(text);
  if (from_right) std::reverse(out.begin(), out.end());
  return out;
}

std::string upper(std::string_view text) {
  return from_icu(to_icu(text).toUpper(icu::Locale::getRoot()));
}

std::string lower(std::string_view text) {
  return from_icu(to_icu(text).toLower(icu::Locale::getRoot()));
}

std::string capitalize(std::string_view text) {
  if (text.empty()) return {};
  const auto first = static_cast<size_t>(utf8_at(text, 0).length);
  return upper(text.substr(0, first)) + lower(text.substr(first));
}

std::string title(std::string_view text) {
  std::string out;
  bool inside = false;
  for (const std::string_view c : characters(text)) {
    const int32_t code = utf8_at(c, 0).code;
    const bool letter = code >= 0 && u_isalpha(code) != 0;
    out += !letter ? std::string(c) : inside ? lower(c) : upper(c);
    inside = letter;
  }
  return out;
}

}  // namespace plinth::text::jinja
