// MinHash signatures of character 5-grams, in bands for locality-sensitive hashing.
//
// 256 hash functions in 32 bands of 8: two texts with Jaccard similarity J share a band with
// probability 1 - (1 - J^8)^32: 0.12 at 0.5, 0.84 at 0.7, 0.998 at 0.8.
// Source: Broder, "On the resemblance and containment of documents", 1997.
// Cost: 256 multiply-add-minimum steps per character, bound by integer multiply throughput.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace plinth::corpus {

constexpr size_t kBands = 32;
constexpr size_t kRowsPerBand = 8;
constexpr size_t kHashes = kBands * kRowsPerBand;

using BandKeys = std::array<uint64_t, kBands>;

// One 32-bit hash per 5-gram, in order, repeats included. White space is left out, ASCII letters
// are folded; a text shorter than 5 characters is one gram.
std::vector<uint32_t> gram_hashes(std::string_view text);

// mins[i] = min over grams of (gram * multiplier_i + offset_i) mod 2^32.
void min_hashes(std::span<const uint32_t> grams, std::span<uint32_t, kHashes> mins);

BandKeys band_keys(std::string_view text);

// |A and B| / |A or B| of the 5-gram sets.
double exact_jaccard(std::string_view a, std::string_view b);

}  // namespace plinth::corpus
