#include "corpus/dedup/near.h"

#include <algorithm>
#include <map>

#include "core/threads.h"

namespace plinth::corpus {
namespace {

struct Pair {
  int32_t a = 0;  // a is preferred to b
  int32_t b = 0;
  auto operator<=>(const Pair&) const = default;
};

// In a crowded bucket each document meets only the best few: they are the ones that would stay.
constexpr size_t kMeetsMax = 24;

// Pairs of ranks (positions in the preference order) that share a band.
std::vector<Pair> candidates(std::span<const BandKeys> keys, std::span<const int32_t> preference) {
  std::vector<Pair> pairs;
  std::vector<std::pair<uint64_t, int32_t>> bucket(preference.size());
  for (size_t band = 0; band < kBands; ++band) {
    for (size_t rank = 0; rank < preference.size(); ++rank)
      bucket[rank] = {keys[static_cast<size_t>(preference[rank])][band],
                      static_cast<int32_t>(rank)};
    std::sort(bucket.begin(), bucket.end());
    for (size_t from = 0; from < bucket.size();) {
      size_t to = from;
      while (to < bucket.size() && bucket[to].first == bucket[from].first) ++to;
      for (size_t i = from; i < to; ++i)
        for (size_t k = i + 1; k < to; ++k)
          if (i - from < kMeetsMax || k == i + 1)
            pairs.push_back({bucket[i].second, bucket[k].second});
          else
            break;
      from = to;
    }
    // Merging band by band keeps this list as long as the distinct pairs, not as the hits.
    std::sort(pairs.begin(), pairs.end());
    pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
  }
  return pairs;
}

std::vector<std::string> numbers_of(std::string_view text) {
  const auto digit = [&](size_t i) { return i < text.size() && text[i] >= '0' && text[i] <= '9'; };
  std::vector<std::string> out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!digit(i)) continue;
    size_t end = i;
    while (digit(end) || (end > i && end < text.size() && text[end] == '.' && digit(end + 1)))
      ++end;
    out.emplace_back(text.substr(i, end - i));
    i = end;
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

double value_similarity(std::string_view a, std::string_view b) {
  const auto left = numbers_of(a), right = numbers_of(b);
  std::vector<std::string> both;
  std::set_intersection(left.begin(), left.end(), right.begin(), right.end(),
                        std::back_inserter(both));
  const size_t either = left.size() + right.size() - both.size();
  return either == 0 ? 1.0 : static_cast<double>(both.size()) / static_cast<double>(either);
}

std::vector<NearMatch> near_duplicates(std::span<const BandKeys> keys,
                                       std::span<const int32_t> preference,
                                       const std::function<std::string(int32_t)>& text,
                                       const NearOptions& options) {
  const auto pairs = candidates(keys, preference);
  std::vector<double> similarity(pairs.size(), 0.0);
  compute_pool().parallel_for(
      static_cast<int64_t>(pairs.size()), 4, [&](int64_t begin, int64_t end, int) {
        for (int64_t i = begin; i < end; ++i) {
          const Pair& pair = pairs[static_cast<size_t>(i)];
          const std::string a = text(preference[static_cast<size_t>(pair.a)]),
                            b = text(preference[static_cast<size_t>(pair.b)]);
          const double j = exact_jaccard(a, b);
          if (j >= options.jaccard && value_similarity(a, b) >= options.value_jaccard)
            similarity[static_cast<size_t>(i)] = j;
        }
      });
  // Pairs are sorted by (a, b) in ranks and a < b: when a pair is seen, a's fate is settled.
  std::vector<NearMatch> out(keys.size());
  for (size_t i = 0; i < pairs.size(); ++i) {
    const int32_t a = preference[static_cast<size_t>(pairs[i].a)],
                  b = preference[static_cast<size_t>(pairs[i].b)];
    NearMatch& match = out[static_cast<size_t>(b)];
    if (similarity[i] > 0 && out[static_cast<size_t>(a)].kept < 0 &&
        similarity[i] > match.similarity)
      match = {a, similarity[i]};
  }
  return out;
}

}  // namespace plinth::corpus
