#include "grammar/utf8_ranges.h"

#include <algorithm>

namespace plinth::grammar {
namespace {

constexpr std::array<uint32_t, 4> kLastOfSize{0x7F, 0x7FF, 0xFFFF, 0x10FFFF};

std::array<uint8_t, 4> encode(uint32_t c, int size) {
  std::array<uint8_t, 4> bytes{};
  static constexpr std::array<uint8_t, 4> kLead{0, 0xC0, 0xE0, 0xF0};
  for (int i = size - 1; i > 0; --i, c >>= 6)
    bytes[static_cast<size_t>(i)] = static_cast<uint8_t>(0x80 | (c & 0x3F));
  bytes[0] = static_cast<uint8_t>(kLead[static_cast<size_t>(size - 1)] | c);
  return bytes;
}

// first and last have UTF-8 of `size` bytes. A block is a sequence when below some byte all
// continuations are whole: where they are not, it is cut at the edge.
void split(uint32_t first, uint32_t last, int size, std::vector<ByteSequence>& out) {
  for (int low = 1; low < size; ++low) {
    const uint32_t mask = (uint32_t{1} << (6 * low)) - 1;
    if ((first & ~mask) == (last & ~mask)) break;
    if ((first & mask) != 0) {
      split(first, first | mask, size, out);
      return split((first | mask) + 1, last, size, out);
    }
    if ((last & mask) != mask) {
      split(first, (last & ~mask) - 1, size, out);
      return split(last & ~mask, last, size, out);
    }
  }
  const auto a = encode(first, size);
  const auto b = encode(last, size);
  ByteSequence sequence{.size = size};
  for (size_t i = 0; i < static_cast<size_t>(size); ++i) sequence.bytes[i] = {a[i], b[i]};
  out.push_back(sequence);
}

}  // namespace

std::vector<ByteSequence> utf8_sequences(Range range) {
  std::vector<ByteSequence> out;
  uint32_t first = range.first;
  for (int size = 1; size <= 4; ++size) {
    const uint32_t limit = kLastOfSize[static_cast<size_t>(size - 1)];
    if (first > limit) continue;
    if (first > range.last) break;
    split(first, std::min(limit, range.last), size, out);
    first = limit + 1;
  }
  return out;
}

}  // namespace plinth::grammar
