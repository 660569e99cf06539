// Shuffles that are functions of a seed and a number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/hash.h"
#include "core/rng.h"

namespace plinth::train {

// The generator of the n-th use of a stream.
inline Rng seeded(uint64_t seed, uint64_t stream, int64_t n) {
  const uint64_t key[] = {seed, stream, static_cast<uint64_t>(n)};
  return Rng(xxh3({reinterpret_cast<const char*>(key), sizeof key}));
}

// Fisher-Yates over values[first..].
inline void shuffle_from(std::vector<int64_t>& values, size_t first, Rng& rng) {
  for (size_t i = values.size(); i > first + 1; --i)
    std::swap(values[i - 1], values[first + rng.below(i - first)]);
}

}  // namespace plinth::train
