// Where the rows of the q and k projections go when a checkpoint changes its RoPE style: GGUF files
// of architecture llama keep the two halves of each head interleaved, Hugging Face keeps them
// apart. Source: LlamaModel.permute in convert_hf_to_gguf.py of llama.cpp.
#pragma once

#include <cstdint>

#include "tensor/ops.h"

namespace plinth::model {

// The row of the halves layout that stands at `row` of the interleaved layout.
inline int64_t halves_row(int64_t row, int64_t head_dim) {
  const int64_t within = row % head_dim;
  return row - within + within % 2 * (head_dim / 2) + within / 2;
}

// The inverse: the row of the interleaved layout that stands at `row` of the halves layout.
inline int64_t interleaved_row(int64_t row, int64_t head_dim) {
  const int64_t within = row % head_dim;
  const int64_t half = head_dim / 2;
  return row - within + within % half * 2 + within / half;
}

// The row of a layout `from` that stands at `row` of a layout `to`.
inline int64_t rope_row(int64_t row, int64_t head_dim, tensor::RopeStyle from,
                        tensor::RopeStyle to) {
  if (from == to) return row;
  return to == tensor::RopeStyle::kInterleaved ? halves_row(row, head_dim)
                                               : interleaved_row(row, head_dim);
}

}  // namespace plinth::model
