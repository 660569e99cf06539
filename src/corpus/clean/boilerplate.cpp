#include "corpus/clean/boilerplate.h"

#include <algorithm>
#include <deque>

#include "core/hash.h"
#include "corpus/outline.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

constexpr size_t kEdgeLines = 64;
constexpr size_t kLineBytesMax = 2048;
// A line among other text must say more, and recur in more documents, than one at the very edge.
constexpr size_t kInnerLines = 5;
constexpr size_t kInnerWordsMin = 8;
constexpr double kInnerShareMin = 0.5;
constexpr size_t kWordsMin = 2;

struct Line {
  size_t begin = 0;  // in the text, with its line break
  size_t end = 0;
  std::string_view content;
  bool code = false;  // a fence, or between two
};

// The lines with text near both ends, in order.
struct EdgeLines {
  std::vector<Line> lines;
  size_t gap = 0;  // of these, so many stand before others that were left out; 0: all are here
};

bool is_fence(std::string_view line) {
  return line.starts_with("```") || line.starts_with("~~~");
}

EdgeLines edge_lines(std::string_view text) {
  EdgeLines out;
  std::deque<Line> tail;
  bool code = false;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
    const std::string_view content = trim(text.substr(at, end - at));
    if (!content.empty()) {
      const bool fence = is_fence(content);
      const Line line{at, end, content, code || fence};
      if (fence) code = !code;
      if (out.lines.size() < kEdgeLines) {
        out.lines.push_back(line);
      } else {
        tail.push_back(line);
        if (tail.size() > kEdgeLines) {
          tail.pop_front();
          out.gap = kEdgeLines;
        }
      }
    }
    at = end;
  }
  out.lines.insert(out.lines.end(), tail.begin(), tail.end());
  return out;
}

size_t words_in(std::string_view line, size_t enough) {
  const CharClasses& classes = CharClasses::get();
  size_t n = 0;
  for (size_t at = 0; at < line.size() && n < enough;)
    n += (classes(next_char(line, at)) & kWordChar) != 0 ? 1 : 0;
  return n;
}

// Promulgations end alike and mean it: 自公布之日起施行, 特此通知.
bool is_formula(std::string_view line) {
  constexpr size_t kFormulaBytesMax = 240;
  if (line.size() > kFormulaBytesMax) return false;
  if (starts_with_any(line, {"特此", "此复", "专此", "现予", "此致", "敬礼"})) return true;
  for (const std::string_view word : {"施行", "废止", "生效", "负责解释", "主席令", "国务院令"})
    if (line.find(word) != line.npos) return true;
  return false;
}

bool may_be_boilerplate(const Line& line) {
  std::string_view text = line.content;
  if (line.code || text.size() > kLineBytesMax || text.front() == '|') return false;
  if (words_in(text, kWordsMin) < kWordsMin || !article_of(text).empty() || is_formula(text))
    return false;
  markdown_level(line.content, text);
  return heading_level(text) == 0;  // 第一章 总则, 一、范围: the skeleton of rules
}

uint64_t key_of(std::string_view line, uint64_t source) {
  return xxh3(line, source);
}

uint64_t key_of_source(std::string_view source) {
  return xxh3(source, 1);
}

std::string_view host_of(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme != url.npos) url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  return url.starts_with("www.") ? url.substr(4) : url;
}

}  // namespace

std::string source_name(const Source& source) {
  if (const auto host = host_of(source.url); !host.empty()) return std::string(host);
  const std::string_view path = source.path;
  const size_t slash = path.find('/');
  if (slash == path.npos) return ".";
  return std::string(path.substr(0, slash > 0 && path[slash - 1] == '!' ? slash - 1 : slash));
}

std::vector<uint64_t> edge_line_keys(std::string_view text, std::string_view source) {
  const uint64_t seed = key_of_source(source);
  std::vector<uint64_t> keys = {seed};
  for (const Line& line : edge_lines(text).lines) {
    if (!may_be_boilerplate(line)) continue;
    const uint64_t key = key_of(line.content, seed);
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
  }
  return keys;
}

BoilerplateCut cut_boilerplate(std::string_view text, std::string_view source, double share_min,
                               const LineCount& count) {
  BoilerplateCut out;
  const uint64_t seed = key_of_source(source);
  out.of = count(seed);
  // No structured binding: clang 14 lets no lambda have one.
  const EdgeLines edges = edge_lines(text);
  const std::vector<Line>& lines = edges.lines;
  const size_t gap = edges.gap;
  std::vector<uint32_t> documents(lines.size(), 0);
  std::vector<bool> heading(lines.size(), false);
  for (size_t i = 0; i < lines.size() && out.of > 0; ++i) {
    if (!may_be_boilerplate(lines[i])) continue;
    documents[i] = count(key_of(lines[i].content, seed));
    std::string_view unused;
    heading[i] = markdown_level(lines[i].content, unused) > 0;
  }
  const double inner_share = std::max(share_min, kInnerShareMin);
  const auto recurs = [&](size_t i, double share) {
    return out.of > 0 && static_cast<double>(documents[i]) > share * out.of;
  };
  // A heading is the document's own until half of the source begins with it.
  const auto at_edge = [&](size_t i) { return recurs(i, heading[i] ? inner_share : share_min); };
  const auto inside = [&](size_t i) {
    return recurs(i, inner_share) && !heading[i] &&
           words_in(lines[i].content, kInnerWordsMin) >= kInnerWordsMin;
  };
  std::vector<bool> goes(lines.size(), false);
  size_t top = 0, bottom = lines.size();
  const size_t top_end = gap > 0 ? gap : bottom;
  while (top < top_end && at_edge(top)) goes[top++] = true;
  while (bottom > std::max(top, gap) && at_edge(bottom - 1)) goes[--bottom] = true;
  for (size_t i = top; i < bottom; ++i)
    if ((i < top + kInnerLines || i + kInnerLines >= bottom) && inside(i)) goes[i] = true;
  size_t from = 0;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (!goes[i]) continue;
    // With the blank lines behind it.
    const size_t end = i + 1 == lines.size() ? text.size()
                       : i + 1 == gap        ? lines[i].end
                                             : lines[i + 1].begin;
    out.text += text.substr(from, lines[i].begin - from);
    if (!out.ranges.empty() && out.ranges.back().second == lines[i].begin)
      out.ranges.back().second = end;
    else
      out.ranges.emplace_back(lines[i].begin, end);
    from = end;
    out.lines.push_back({std::string(lines[i].content), documents[i]});
    out.chars += static_cast<int64_t>(count_chars(lines[i].content));
  }
  out.text += text.substr(from);
  while (out.text.ends_with("\n\n")) out.text.pop_back();
  return out;
}

}  // namespace plinth::corpus
