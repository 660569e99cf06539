// For tests of parsers of foreign bytes: a valid file, damaged in many ways.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/rng.h"

namespace plinth::model {

// Calls `parse` with `valid` cut short at about `n` places, and with about `n` copies in which one
// to four bytes of the first `header` bytes are changed. Each input is a heap block of exactly its
// size, so that a sanitizer sees a read past the end.
inline void for_each_mutation(const std::string& valid, size_t header, size_t n,
                              const std::function<void(std::span<const std::byte>)>& parse) {
  const auto try_one = [&parse](const std::string& text) {
    const auto* data = reinterpret_cast<const std::byte*>(text.data());
    const std::vector<std::byte> bytes(data, data + text.size());
    parse(bytes);
  };
  const size_t step = valid.size() / n + 1;
  for (size_t size = 0; size < valid.size(); size += step) try_one(valid.substr(0, size));
  Rng rng(7);
  for (size_t i = 0; i < n; ++i) {
    std::string changed = valid;
    for (uint64_t k = rng.below(4) + 1; k > 0; --k) {
      // Half of them at places where counts and sizes have their high bytes.
      const auto value = rng.below(2) == 0 ? rng.below(256) : 0xff;
      changed[rng.below(header)] = static_cast<char>(value);
    }
    try_one(changed);
  }
}

}  // namespace plinth::model
