// What the matrix product passes around, the same for every SIMD target.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tensor/tensor.h"

namespace plinth::tensor::cpu {

// Element (i, k) of the left factor is data[i * row_step + k * depth_step]; one of the steps is 1.
struct Strided {
  const float* data = nullptr;
  int64_t row_step = 0;
  int64_t depth_step = 0;
};

// The right factor as stored: `rows` of type `type`, row_bytes apart.
struct Stored {
  const uint8_t* data = nullptr;
  DType type = DType::kF32;
  size_t row_bytes = 0;
  // true: stored rows run along the depth (a weight in the forward pass: its rows are columns
  // here). false: stored rows are rows of the factor.
  bool turned = false;
  // Rows side by side of a weight that was interleaved (quant/panels.h), 0: none.
  int panel = 0;
};

// One of several right factors [k, n] that share the left one, and c [m, n] (+)= a . b.
struct ProductOutput {
  Stored b;
  int64_t n = 0;
  Matrix c;
  bool accumulate = false;
};

// The packed products of a [m, k] on the compute pool. Sums are split by depth into blocks of
// kDepthBlock and nothing else, so neither threads nor tiles, nor how many outputs there are,
// change a bit of the result.
void multiply(int64_t m, int64_t k, const Strided& a, std::span<const ProductOutput> outputs);

}  // namespace plinth::tensor::cpu
