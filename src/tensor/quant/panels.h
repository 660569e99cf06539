// A weight with its rows interleaved: the same bytes as in the file, in the order in which a
// product that has the rows in its lanes wants them.
//
// `height` rows side by side are a panel, and panels follow each other; rows that are missing from
// the last one are zero. Along the columns a panel is made of chunks of 256 (the last one shorter).
// A chunk holds first the 16-bit fields of its stored blocks (d, or d and m), then their 32-bit
// words in the file's order; each field or word `height` times, once for every row. So one vector
// load gives the same four bytes of all rows, and reading a panel is reading memory in order.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/quant/layout.h"
#include "tensor/tensor.h"

namespace plinth::tensor {

// A stored block as 16-bit fields and 32-bit words. Q6_K ends with its field, the others begin. A
// plain number is one or the other.
struct BlockFields {
  int halves;     // 16-bit fields
  int words;      // 32-bit words
  int halves_at;  // byte of the first field
  int words_at;   // byte of the first word
};

constexpr BlockFields block_fields(DType type) {
  const auto bytes = static_cast<int>(traits(type).bytes);
  if (!is_quantised(type)) return bytes == 2 ? BlockFields{1, 0, 0, 0} : BlockFields{0, 1, 0, 0};
  if (type == DType::kQ6_K) return {1, (bytes - 2) / 4, bytes - 2, 0};
  const int halves = bytes % 4 == 2 ? 1 : 2;
  return {halves, (bytes - 2 * halves) / 4, 0, 2 * halves};
}

// Bytes of a weight [rows, cols] in panels of `height`.
size_t interleaved_bytes(DType type, int64_t rows, int64_t cols, int height);

// Blocks [0, blocks) of `rows` <= height rows, `stride` bytes apart, as one chunk or less of a
// panel.
void interleave_chunk(const uint8_t* from, int64_t stride, int rows, DType type, int64_t blocks,
                      int height, uint8_t* to);

// Stored blocks [first, first + n) of row r of a weight in panels, in the order of the file.
void gather_blocks(const Weight& weight, int64_t r, int64_t first, int64_t n, uint8_t* to);

// The weight in panels of `height`, at `to`, which has interleaved_bytes and keeps what is returned
// alive. Uses compute_pool().
Weight interleave(const Weight& weight, int height, std::byte* to);

}  // namespace plinth::tensor
