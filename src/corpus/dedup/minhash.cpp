#include "corpus/dedup/minhash.h"

#include <algorithm>

#include "core/hash.h"
#include "corpus/dedup/minhash_kernel.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

constexpr size_t kGram = 5;

uint32_t mix(uint64_t hash) {
  hash ^= hash >> 29;
  hash *= 0xBF58476D1CE4E5B9u;
  return static_cast<uint32_t>(hash >> 32);
}

struct Functions {
  alignas(64) std::array<uint32_t, kHashes> multiplier;
  alignas(64) std::array<uint32_t, kHashes> offset;
};

// Fixed for ever: signatures of different versions must agree. SplitMix64 from 1.
Functions make_functions() {
  Functions out;
  uint64_t state = 1;
  const auto next = [&] {
    uint64_t z = (state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  };
  for (size_t i = 0; i < kHashes; ++i) {
    out.multiplier[i] = static_cast<uint32_t>(next()) | 1u;
    out.offset[i] = static_cast<uint32_t>(next());
  }
  return out;
}

std::vector<uint32_t> gram_set(std::string_view text) {
  auto grams = gram_hashes(text);
  std::sort(grams.begin(), grams.end());
  grams.erase(std::unique(grams.begin(), grams.end()), grams.end());
  return grams;
}

}  // namespace

std::vector<uint32_t> gram_hashes(std::string_view text) {
  std::vector<uint32_t> out;
  out.reserve(text.size() / 3 + 1);
  constexpr uint64_t kBase = 0x9E3779B97F4A7C15u;
  constexpr uint64_t kLeading = kBase * kBase * kBase * kBase;
  std::array<uint64_t, kGram> window{};
  uint64_t hash = 0;
  size_t slot = 0, count = 0;
  for (size_t i = 0; i < text.size();) {
    const char32_t c = fold_char(next_char(text, i));
    if (is_space(c)) continue;
    hash = (hash - window[slot] * kLeading) * kBase + c;
    window[slot] = c;
    slot = slot + 1 == kGram ? 0 : slot + 1;
    if (++count >= kGram) out.push_back(mix(hash));
  }
  if (count > 0 && count < kGram) out.push_back(mix(hash));
  return out;
}

void min_hashes(std::span<const uint32_t> grams, std::span<uint32_t, kHashes> mins) {
  static const Functions functions = make_functions();
  std::fill(mins.begin(), mins.end(), UINT32_MAX);
  min_hash_kernel(grams, functions.multiplier, functions.offset, mins);
}

BandKeys band_keys(std::string_view text) {
  alignas(64) std::array<uint32_t, kHashes> mins;
  min_hashes(gram_hashes(text), mins);
  BandKeys keys;
  for (size_t band = 0; band < kBands; ++band) {
    const auto* rows = reinterpret_cast<const char*>(mins.data() + band * kRowsPerBand);
    keys[band] = xxh3(std::string_view(rows, kRowsPerBand * sizeof(uint32_t)), band);
  }
  return keys;
}

double exact_jaccard(std::string_view a, std::string_view b) {
  const auto left = gram_set(a), right = gram_set(b);
  size_t i = 0, k = 0, both = 0;
  while (i < left.size() && k < right.size()) {
    if (left[i] == right[k]) ++both;
    const uint32_t l = left[i], r = right[k];
    i += l <= r ? 1 : 0;
    k += r <= l ? 1 : 0;
  }
  const size_t either = left.size() + right.size() - both;
  return either == 0 ? 1.0 : static_cast<double>(both) / static_cast<double>(either);
}

}  // namespace plinth::corpus
