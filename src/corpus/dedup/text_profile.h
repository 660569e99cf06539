// What a document is compared by, in bounded memory: its 5-grams and its numbers.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace plinth::corpus {

// Hashes, ascending. Of large documents only the least: those below 2^32 >> halvings, so that two
// documents keep the same part of what they share. Depends on the text alone.
struct HashSample {
  std::vector<uint32_t> hashes;
  int halvings = 0;  // 0: all are there
};

// At most 768 KiB, whatever the size of the text.
struct TextProfile {
  HashSample grams;    // distinct: gram_hashes()
  HashSample numbers;  // "0.35", "2025": as often as they occur

  // Nothing was left out: what is computed from it is exact.
  bool whole() const { return grams.halvings == 0 && numbers.halvings == 0; }

  uint64_t bytes() const {
    return (grams.hashes.size() + numbers.hashes.size()) * sizeof(uint32_t);
  }
};

// whole: nothing is left out, however large it is.
TextProfile profile_of(std::string_view text, bool whole = false);

// An upper bound of a profile's bytes, from the document's characters.
uint64_t profile_bytes_max(uint64_t chars);

// |A and B| / |A or B| of the parts that both have in full; 1 for two empty ones. Of samples the
// standard error is 0.002 or less at 0.8.
double jaccard(const HashSample& a, const HashSample& b);

}  // namespace plinth::corpus
