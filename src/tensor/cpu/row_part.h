// Part of a stored row, wherever it lies.
#pragma once

#include <cstdint>

#include "tensor/cpu/gemm_types.h"
#include "tensor/quant/panels.h"

namespace plinth::tensor::cpu {

// Elements are there from `at` elements into `bytes` on.
struct RowPart {
  const uint8_t* bytes;
  int64_t at;
};

// Two blocks of the largest type, or as many small ones as 256 elements take.
inline constexpr int64_t kGathered = 512;

// Elements [first, first + n) of row `row`, n <= 256; `first` begins a block of 32. What lies in a
// panel is put together in scratch, kGathered bytes.
inline RowPart row_part(const Stored& b, int64_t row, int64_t first, int64_t n, uint8_t* scratch) {
  if (b.panel == 0) return {b.data + b.row_bytes * static_cast<size_t>(row), first};
  const auto& of = traits(b.type);
  const int64_t begin = first / of.block;
  const int64_t end = (first + n + of.block - 1) / of.block;
  const auto cols = static_cast<int64_t>(b.row_bytes / of.bytes) * of.block;
  gather_blocks({b.data, b.type, row + 1, cols, b.panel}, row, begin, end - begin, scratch);
  return {scratch, first - begin * of.block};
}

}  // namespace plinth::tensor::cpu
