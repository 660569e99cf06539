#include "corpus/data/sentences.h"

#include "corpus/outline.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

std::string_view without_lead(std::string_view line) {
  line = trim(line);
  for (const std::string_view mark :
       {"- ", "* ", "• ", "答：", "问：", "A：", "Q：", "A:", "Q:", "> "})
    if (line.starts_with(mark)) line = trim(line.substr(mark.size()));
  const std::string_view article = article_of(line);
  return article.empty() ? line : trim(line.substr(article.size()));
}

template <typename IsMark>
std::vector<std::string_view> split(std::string_view text, IsMark&& is_mark) {
  std::vector<std::string_view> out;
  size_t from = 0;
  for (size_t i = 0; i < text.size();) {
    const size_t at = i;
    const char32_t c = next_char(text, i);
    if (!is_mark(c, at, i)) continue;
    if (!trim(text.substr(from, at - from)).empty())
      out.push_back(trim(text.substr(from, at - from)));
    from = i;
  }
  if (!trim(text.substr(from)).empty()) out.push_back(trim(text.substr(from)));
  return out;
}

}  // namespace

std::vector<std::string_view> sentences_of(std::string_view line) {
  const std::string_view text = without_lead(line);
  return split(text, [&](char32_t c, size_t, size_t next) {
    if (c == U'。' || c == U'！' || c == U'？' || c == U'；' || c == U';') return true;
    // An ASCII full stop ends a sentence before a blank only: 0.35 and v1.2 go on.
    return (c == '.' || c == '!' || c == '?') && (next == text.size() || text[next] == ' ');
  });
}

std::vector<std::string_view> clauses_of(std::string_view sentence) {
  return split(sentence, [&](char32_t c, size_t, size_t next) {
    return c == U'，' || (c == ',' && next < sentence.size() && sentence[next] == ' ');
  });
}

std::string_view prefix_sentences(std::string_view text, size_t chars) {
  const std::string_view hard = prefix_chars(text, chars);
  if (hard.size() == text.size()) return text;
  size_t best = 0;
  for (const std::string_view mark : {"。", "！", "？", "；", "\n"}) {
    const size_t at = hard.rfind(mark);
    if (at != hard.npos && at + mark.size() > best) best = at + mark.size();
  }
  return trim(best == 0 ? hard : hard.substr(0, best));
}

std::vector<std::string_view> cut_long_line(std::string_view line, int chars) {
  std::vector<std::string_view> out;
  while (static_cast<int>(count_chars(line)) > chars) {
    std::string_view part = prefix_sentences(line, static_cast<size_t>(chars));
    if (part.empty()) part = prefix_chars(line, static_cast<size_t>(chars));
    const size_t end = static_cast<size_t>(part.data() - line.data()) + part.size();
    out.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
  out.push_back(line);
  return out;
}

}  // namespace plinth::corpus
