// Near-duplicates among edited pairs of laws: truth is the Jaccard similarity of character 5-grams,
// computed here once more, by sets of the grams themselves.
#include <algorithm>
#include <set>

#include "core/rng.h"
#include "corpus/dedup/near.h"
#include "corpus/measure/measure.h"
#include "corpus/text_path.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

constexpr size_t kPairs = 1200;

std::u32string characters(std::string_view text) {
  std::u32string out;
  for (size_t at = 0; at < text.size();) out.push_back(next_char(text, at));
  return out;
}

std::string utf8(const std::u32string& text) {
  std::string out;
  for (const char32_t c : text) text::append_utf8(static_cast<int32_t>(c), out);
  return out;
}

std::set<std::u32string> grams(const std::u32string& text) {
  std::u32string bare;
  for (const char32_t c : text)
    if (!is_space(c)) bare.push_back(fold_char(c));
  std::set<std::u32string> out;
  for (size_t i = 0; i + 5 <= bare.size(); ++i) out.insert(bare.substr(i, 5));
  return out;
}

double true_jaccard(const std::u32string& a, const std::u32string& b) {
  const auto left = grams(a), right = grams(b);
  size_t both = 0;
  for (const auto& gram : left) both += right.contains(gram) ? 1 : 0;
  return static_cast<double>(both) / static_cast<double>(left.size() + right.size() - both);
}

// Replaces, removes and adds characters here and there, digits excepted: other values make another
// document, by design.
std::u32string edited(const std::u32string& text, double share, Rng& rng) {
  std::u32string out;
  for (const char32_t c : text) {
    if (is_digit(c) || rng.uniform() >= share) {
      out.push_back(c);
      continue;
    }
    const char32_t other = text[rng.below(text.size())];
    const uint64_t what = rng.below(3);
    if (what > 0 && !is_digit(other)) out.push_back(other);
    if (what > 1) out.push_back(c);
  }
  return out;
}

}  // namespace

Status measure_near_duplicates(Measurement& m) {
  PLINTH_TRY(const auto laws, m.documents("raw/law/laws_md.tar.zst"));
  if (laws.empty()) return {};
  Rng rng(2);
  const RefineRecipe recipe;
  int pairs = 0, similar = 0, recalled = 0, reported = 0, right = 0;
  for (size_t tries = 0; pairs < static_cast<int>(kPairs) && tries < 4 * kPairs; ++tries) {
    const std::string a(
        prefix_chars(clean_text(laws[rng.below(laws.size())].second).text, 300 + rng.below(2700)));
    const std::u32string original = characters(a);
    if (original.size() < 250) continue;
    const std::u32string changed = edited(original, 0.002 + 0.05 * rng.uniform(), rng);
    const std::string b = utf8(changed);
    const double truth = true_jaccard(original, changed);
    ++pairs;
    if (truth >= 0.8) {
      ++similar;
      recalled += near_duplicates(a, b, {recipe.near_jaccard, recipe.value_jaccard}) ? 1 : 0;
    }
    if (near_duplicates(a, b, {0.7, recipe.value_jaccard})) {
      ++reported;
      right += truth >= 0.7 ? 1 : 0;
    }
  }
  m.add({fmt::format("near-duplicates at Jaccard 0.8: recall ({} of {} pairs)", similar, pairs),
         1.0 * recalled / std::max(similar, 1), "", 0.98});
  m.add({fmt::format("near-duplicates at Jaccard 0.7: precision ({} reported)", reported),
         1.0 * right / std::max(reported, 1), "", 0.99});
  return {};
}

}  // namespace plinth::corpus
