// A range of code points as ranges of bytes.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "grammar/expressions.h"

namespace plinth::grammar {

struct ByteRange {
  uint8_t first = 0;
  uint8_t last = 0;

  bool operator==(const ByteRange&) const = default;
};

// One character: each byte from its own range.
struct ByteSequence {
  std::array<ByteRange, 4> bytes = {};
  int size = 0;
};

// The UTF-8 of exactly the code points of `range` (no surrogates in it). Source: RFC 3629.
std::vector<ByteSequence> utf8_sequences(Range range);

}  // namespace plinth::grammar
