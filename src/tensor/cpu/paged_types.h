// What paged attention passes around, the same for every SIMD target.
#pragma once

#include <cstdint>

#include "tensor/ops.h"

namespace plinth::tensor::cpu {

struct PagedCall {
  ConstMatrix q;
  std::span<const int32_t* const> tables;
  std::span<const int32_t> positions;
  AttentionShape shape;
  PagedKv kv;
  int64_t head_bytes = 0;  // kv_head_bytes
  Matrix y;
};

// Keys are taken in spans of this many, counted from token 0, whatever rows a call has: so a row's
// sums are the same in a chunk and alone, on one thread and on many. A span's scores for
// kTileRows queries are 96 KiB, which stay in L2.
constexpr int64_t kSpan = 256;

// Query rows (positions x heads of a group) that share what is read of the cache: a multiple of the
// tile's 6 or 12 rows, and enough that unpacking costs a few percent of the products.
constexpr int64_t kTileRows = 96;

// Consecutive positions of one sequence with the query heads of one kv head, over spans
// [span, span_end). With `partials` the result of each span is left there, [spans of the tile, rows
// of the tile, partial_stride]; without, the task is the whole tile and writes y.
struct PagedTask {
  int64_t row = 0;
  int64_t rows = 0;
  int64_t kv_head = 0;
  int64_t span = 0;
  int64_t span_end = 0;
  int64_t partials = -1;  // an offset in floats
};

}  // namespace plinth::tensor::cpu
