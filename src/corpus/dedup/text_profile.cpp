#include "corpus/dedup/text_profile.h"

#include <algorithm>

#include "core/hash.h"
#include "corpus/dedup/minhash.h"

namespace plinth::corpus {
namespace {

constexpr size_t kGramsMax = size_t{1} << 17;
constexpr size_t kNumbersMax = size_t{1} << 16;

// The numbers of a text by their digits: "0.35" is one, "1.2.3" too.
std::vector<uint32_t> number_hashes(std::string_view text) {
  const auto digit = [&](size_t i) { return i < text.size() && text[i] >= '0' && text[i] <= '9'; };
  std::vector<uint32_t> out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!digit(i)) continue;
    size_t end = i;
    while (digit(end) || (end < text.size() && text[end] == '.' && digit(end + 1))) ++end;
    out.push_back(static_cast<uint32_t>(xxh3(text.substr(i, end - i))));
    i = end;
  }
  return out;
}

// Sorted, thinned until at most `most` are left; but not below half of that.
HashSample sample(std::vector<uint32_t> all, size_t most, bool distinct) {
  HashSample out;
  while (all.size() >> out.halvings > most) ++out.halvings;
  for (;; --out.halvings) {
    out.hashes.clear();
    const uint32_t below = UINT32_MAX >> out.halvings;
    std::copy_if(all.begin(), all.end(), std::back_inserter(out.hashes),
                 [&](uint32_t hash) { return hash <= below; });
    std::sort(out.hashes.begin(), out.hashes.end());
    if (distinct)
      out.hashes.erase(std::unique(out.hashes.begin(), out.hashes.end()), out.hashes.end());
    // Repeats may have been most of them: then there is room for more.
    if (out.halvings == 0 || out.hashes.size() > most / 2) return out;
  }
}

}  // namespace

TextProfile profile_of(std::string_view text, bool whole) {
  return {sample(gram_hashes(text), whole ? SIZE_MAX : kGramsMax, true),
          sample(number_hashes(text), whole ? SIZE_MAX : kNumbersMax, false)};
}

uint64_t profile_bytes_max(uint64_t chars) {
  // A sample may be somewhat larger than it was to be: twice that at most.
  return sizeof(uint32_t) * (std::min<uint64_t>(chars, 2 * kGramsMax) +
                             std::min<uint64_t>(chars / 2, 2 * kNumbersMax));
}

double jaccard(const HashSample& a, const HashSample& b) {
  const uint32_t below = UINT32_MAX >> std::max(a.halvings, b.halvings);
  const auto part = [&](const HashSample& one) {
    return static_cast<size_t>(std::upper_bound(one.hashes.begin(), one.hashes.end(), below) -
                               one.hashes.begin());
  };
  const size_t n = part(a), m = part(b);
  size_t i = 0, k = 0, both = 0;
  while (i < n && k < m) {
    const uint32_t l = a.hashes[i], r = b.hashes[k];
    both += l == r ? 1 : 0;
    i += l <= r ? 1 : 0;
    k += r <= l ? 1 : 0;
  }
  const size_t either = n + m - both;
  return either == 0 ? 1.0 : static_cast<double>(both) / static_cast<double>(either);
}

}  // namespace plinth::corpus
