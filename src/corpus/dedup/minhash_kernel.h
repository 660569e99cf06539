// The inner loop of MinHash, on whatever vector unit the machine has (Highway).
#pragma once

#include <cstdint>
#include <span>

namespace plinth::corpus {

// mins[i] = min(mins[i], min over grams of gram * multiplier[i] + offset[i]), all modulo 2^32.
// The three tables have the same length, a multiple of 64, and are aligned to 64 bytes.
void min_hash_kernel(std::span<const uint32_t> grams, std::span<const uint32_t> multiplier,
                     std::span<const uint32_t> offset, std::span<uint32_t> mins);

}  // namespace plinth::corpus
