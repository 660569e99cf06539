#include "corpus/measure/text_f1.h"

#include <algorithm>
#include <vector>

#include "corpus/read/table.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

// Four characters of 21 bits do not fit 64: the hash is of the gram, not the gram itself.
std::vector<uint64_t> sorted_grams(std::string_view text) {
  std::vector<uint64_t> out;
  uint64_t last[4] = {};
  size_t n = 0;
  for (size_t at = 0; at < text.size();) {
    const char32_t c = next_char(text, at);
    if (is_space(c)) continue;
    last[n++ % 4] = c;
    if (n < 4) continue;
    uint64_t hash = 0;
    for (size_t i = 0; i < 4; ++i) hash = (hash + last[(n + i) % 4]) * 0x9E3779B97F4A7C15u;
    out.push_back(hash);
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

Overlap gram_overlap(std::string_view found, std::string_view gold) {
  const auto a = sorted_grams(found), b = sorted_grams(gold);
  if (a.empty() && b.empty()) return {1, 1, 1};
  std::vector<uint64_t> both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  const auto shared = static_cast<double>(both.size());
  if (shared == 0) return {};
  Overlap out{shared / static_cast<double>(a.size()), shared / static_cast<double>(b.size()), 0};
  out.f1 = 2 * out.precision * out.recall / (out.precision + out.recall);
  return out;
}

std::string without_markdown(std::string_view text) {
  std::string out;
  each_line(text, [&](std::string_view line) {
    if (is_table_rule(line)) return;
    const auto cells = table_cells(line);
    if (!cells.empty()) {
      for (const std::string& cell : cells) out += cell + " ";
    } else {
      if (line.starts_with('#'))
        line.remove_prefix(std::min(line.find_first_not_of('#'), line.size()));
      if (line.starts_with("- ")) line.remove_prefix(2);
      out += line;
    }
    out.push_back('\n');
  });
  return out;
}

}  // namespace plinth::corpus
