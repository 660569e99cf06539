// What the matrix product passes around, the same for every SIMD target.
#pragma once

#include <cstddef>
#include <cstdint>

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

// c [m, n] (+)= a [m, k] . b [k, n]
struct Product {
  int64_t m = 0;
  int64_t n = 0;
  int64_t k = 0;
  Strided a;
  Stored b;
  Matrix c;
  bool accumulate = false;
};

// The packed product on the compute pool. Sums are split by depth into blocks of kDepthBlock and
// nothing else, so neither threads nor tiles change a bit of the result.
void multiply(const Product& product);

}  // namespace plinth::tensor::cpu
