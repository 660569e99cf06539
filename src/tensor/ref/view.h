// A matrix view of any scalar type: the references run in float to judge kernels and in double to
// judge themselves against finite differences.
#pragma once

#include <cstdint>

#include "tensor/tensor.h"

namespace plinth::tensor::ref {

template <typename T>
struct View {
  T* data = nullptr;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t stride = 0;

  T* row(int64_t i) const { return data + i * stride; }

  T& at(int64_t i, int64_t j) const { return data[i * stride + j]; }
};

inline View<const float> view(ConstMatrix m) {
  return {m.data, m.rows, m.cols, m.stride};
}

inline View<float> view(Matrix m) {
  return {m.data, m.rows, m.cols, m.stride};
}

// *out = value, or += when accumulating; the sum is rounded once.
template <typename T>
void put(T& out, double value, bool accumulate) {
  out = static_cast<T>(accumulate ? static_cast<double>(out) + value : value);
}

}  // namespace plinth::tensor::ref
