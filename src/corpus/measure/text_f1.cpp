#include "corpus/measure/text_f1.h"

#include <algorithm>
#include <vector>

#include "corpus/read/table.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

constexpr size_t kGram = 4;

// Four characters of 21 bits do not fit 64: the hash is of the gram, not the gram itself.
std::vector<uint64_t> sorted_grams(std::string_view text) {
  std::vector<uint64_t> out;
  uint64_t last[kGram] = {};
  size_t n = 0;
  for (size_t at = 0; at < text.size();) {
    const char32_t c = next_char(text, at);
    if (is_space(c)) continue;
    last[n++ % kGram] = c;
    if (n < kGram) continue;
    uint64_t hash = 0;
    for (size_t i = 0; i < kGram; ++i) hash = (hash + last[(n + i) % kGram]) * 0x9E3779B97F4A7C15u;
    out.push_back(hash);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<uint64_t> sorted_word_grams(std::string_view text) {
  std::vector<uint64_t> words;
  uint64_t word = 0;
  bool inside = false;
  const auto flush = [&] {
    if (inside) words.push_back(word);
    inside = false;
    word = 0;
  };
  for (size_t at = 0; at < text.size();) {
    const char32_t c = next_char(text, at);
    if (!is_word(c) && c != '_') {
      flush();
      continue;
    }
    inside = true;
    word = (word + c) * 0x9E3779B97F4A7C15u;
    word ^= word >> 32;
  }
  flush();
  std::vector<uint64_t> out;
  for (size_t i = 0; i < words.size() && (i == 0 || i + kGram <= words.size()); ++i) {
    uint64_t hash = 0;
    for (size_t k = i; k < std::min(i + kGram, words.size()); ++k)
      hash = (hash + words[k]) * 0x9E3779B97F4A7C15u;
    out.push_back(hash);
  }
  std::sort(out.begin(), out.end());
  return out;
}

Overlap overlap(const std::vector<uint64_t>& a, const std::vector<uint64_t>& b) {
  if (a.empty() && b.empty()) return {1, 1, 1};
  std::vector<uint64_t> both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  const auto shared = static_cast<double>(both.size());
  if (shared == 0) return {};
  Overlap out{shared / static_cast<double>(a.size()), shared / static_cast<double>(b.size()), 0};
  out.f1 = 2 * out.precision * out.recall / (out.precision + out.recall);
  return out;
}

}  // namespace

Overlap gram_overlap(std::string_view found, std::string_view gold) {
  return overlap(sorted_grams(found), sorted_grams(gold));
}

Overlap word_gram_overlap(std::string_view found, std::string_view gold) {
  return overlap(sorted_word_grams(found), sorted_word_grams(gold));
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
