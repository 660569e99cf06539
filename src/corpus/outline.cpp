#include "corpus/outline.h"

#include "corpus/corpus.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

constexpr size_t kHeadingCharsMax = 32;

bool is_chinese_number(char32_t c) {
  static constexpr std::u32string_view kNumbers = U"零〇一二三四五六七八九十百千";
  return kNumbers.find(c) != kNumbers.npos;
}

// The end of a run of Chinese or ASCII digits at `at`; `at` itself when there is none.
size_t number_end(std::string_view line, size_t at) {
  while (at < line.size()) {
    size_t next = at;
    const char32_t c = next_char(line, next);
    if (!is_chinese_number(c) && !is_digit(c)) break;
    at = next;
  }
  return at;
}

// 第…X: the character after the number, 0 when the line does not begin that way. `end` is behind
// it.
char32_t ordinal_unit(std::string_view line, size_t& end) {
  constexpr std::string_view kOrdinal = "第";
  if (!line.starts_with(kOrdinal)) return 0;
  const size_t number = number_end(line, kOrdinal.size());
  if (number == kOrdinal.size() || number >= line.size()) return 0;
  end = number;
  return next_char(line, end);
}

// "1.2.3 x": how many numbers, 0 when the line does not begin that way.
int decimal_depth(std::string_view line) {
  size_t at = 0;
  int depth = 0;
  while (at < line.size() && is_digit(static_cast<unsigned char>(line[at]))) {
    const size_t from = at;
    while (at < line.size() && is_digit(static_cast<unsigned char>(line[at]))) ++at;
    if (at - from > 2) return 0;
    ++depth;
    if (at < line.size() && line[at] == '.')
      ++at;
    else
      break;
  }
  if (depth == 0 || at >= line.size()) return 0;
  const bool gap =
      line[at] == ' ' || line.substr(at).starts_with("、") || line.substr(at).starts_with("\u3000");
  return gap ? depth : 0;
}

bool ends_like_sentence(std::string_view line) {
  return ends_with_any(line, {"。", "；", "，", "！", "？", "：", ".", ";", ",", ":", "、"});
}

}  // namespace

int heading_level(std::string_view line) {
  line = trim(line);
  if (line.size() < 2 || line.front() == '|' || line.front() == '-' ||
      count_chars(line) > kHeadingCharsMax || ends_like_sentence(line))
    return 0;
  if (line.find("，") != line.npos || line.find("。") != line.npos) return 0;
  size_t end = 0;
  switch (ordinal_unit(line, end)) {
    case U'编':
      return 1;
    case U'章':
    case U'篇':
      return 2;
    case U'节':
      return 3;
    case 0:
      break;
    default:
      return 0;
  }
  const size_t number = number_end(line, 0);
  if (number > 0 && number < line.size() && !is_digit(static_cast<unsigned char>(line[0])) &&
      line.substr(number).starts_with("、"))
    return 2;
  const int depth = decimal_depth(line);
  if (depth > 0 && count_chars(line) <= 24 && line.find("：") == line.npos) {
    // "3 号楼" and "5 minutes" are no headings: a Han word must follow the gap.
    size_t at = line.find_first_not_of("0123456789. ");
    if (at == line.npos) return 0;
    return is_han(next_char(line, at)) ? std::min(1 + depth, 6) : 0;
  }
  return 0;
}

int markdown_level(std::string_view line, std::string_view& heading) {
  size_t level = 0;
  while (level < line.size() && line[level] == '#') ++level;
  if (level == 0 || level > 6 || level >= line.size() || line[level] != ' ') return 0;
  heading = trim(line.substr(level));
  return heading.empty() ? 0 : static_cast<int>(level);
}

bool begins_item(std::string_view line) {
  line = trim(line);
  if (line.empty()) return true;
  if (starts_with_any(line, {"- ", "* ", "|", "#", "•", "·", "○", "●", "（", "(", "问：", "答：",
                             "问:", "答:", "Q:", "A:", "Q：", "A：", "附："}))
    return true;
  if (!article_of(line).empty() || heading_level(line) > 0 || decimal_depth(line) > 0) return true;
  const size_t number = number_end(line, 0);
  return number > 0 &&
         (line.substr(number).starts_with("、") || line.substr(number).starts_with("．") ||
          line.substr(number).starts_with(")") || line.substr(number).starts_with("）"));
}

std::string_view article_of(std::string_view line) {
  line = trim(line);
  size_t end = 0;
  if (ordinal_unit(line, end) != U'条') return {};
  const std::string_view rest = line.substr(end);
  if (!rest.empty() && !starts_with_any(rest, {" ", "\u3000", "：", "之"})) return {};
  return line.substr(0, end);
}

std::vector<Section> sections(std::string_view text) {
  bool marked = false;
  each_line(text, [&](std::string_view line) {
    std::string_view heading;
    marked = marked || markdown_level(line, heading) > 0;
  });
  std::vector<Section> out(1);
  std::vector<std::pair<int, std::string>> above;
  size_t at = 0;
  each_line(text, [&](std::string_view line) {
    std::string_view heading = trim(line);
    const int level = marked ? markdown_level(line, heading) : heading_level(line);
    const size_t next = at + line.size() + 1;
    if (level > 0) {
      out.back().end = at;
      while (!above.empty() && above.back().first >= level) above.pop_back();
      Section section;
      section.heading = std::string(heading);
      for (const auto& [unused, name] : above) section.path.push_back(name);
      section.level = level;
      section.begin = at;
      section.body = std::min<uint64_t>(next, text.size());
      above.emplace_back(level, section.heading);
      out.push_back(std::move(section));
    }
    at = next;
  });
  out.back().end = text.size();
  if (out.size() > 1 && trim(text.substr(0, out.front().end)).empty()) out.erase(out.begin());
  return out;
}

int page_at(const Source& source, uint64_t at) {
  int page = 0;
  for (const PageMark& mark : source.pages)
    if (mark.at <= at) page = mark.page;
  return page;
}

}  // namespace plinth::corpus
