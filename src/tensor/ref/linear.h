// The three matrix products of a linear layer. Shapes as in ops.h.
#pragma once

#include <vector>

#include "tensor/ref/view.h"

namespace plinth::tensor::ref {

// y [M, N] = x [M, K] . w [N, K]^T
template <typename T>
void linear(View<const T> x, View<const T> w, View<T> y, bool accumulate) {
  for (int64_t m = 0; m < x.rows; ++m) {
    for (int64_t n = 0; n < w.rows; ++n) {
      double sum = 0;
      for (int64_t k = 0; k < x.cols; ++k) sum += double(x.at(m, k)) * double(w.at(n, k));
      put(y.at(m, n), sum, accumulate);
    }
  }
}

// y [M, N] += scale * (x [M, K] . a [R, K]^T) . b [N, R]^T
template <typename T>
void low_rank(View<const T> x, View<const T> a, View<const T> b, double scale, View<T> y) {
  std::vector<double> low(static_cast<size_t>(a.rows));
  for (int64_t m = 0; m < x.rows; ++m) {
    for (int64_t r = 0; r < a.rows; ++r) {
      double sum = 0;
      for (int64_t k = 0; k < x.cols; ++k) sum += double(x.at(m, k)) * double(a.at(r, k));
      low[r] = sum * scale;
    }
    for (int64_t n = 0; n < b.rows; ++n) {
      double sum = 0;
      for (int64_t r = 0; r < a.rows; ++r) sum += low[r] * double(b.at(n, r));
      put(y.at(m, n), sum, true);
    }
  }
}

// dx [M, K] = dy [M, N] . w [N, K]
template <typename T>
void linear_dx(View<const T> dy, View<const T> w, View<T> dx, bool accumulate) {
  for (int64_t m = 0; m < dy.rows; ++m) {
    for (int64_t k = 0; k < w.cols; ++k) {
      double sum = 0;
      for (int64_t n = 0; n < w.rows; ++n) sum += double(dy.at(m, n)) * double(w.at(n, k));
      put(dx.at(m, k), sum, accumulate);
    }
  }
}

// dw [N, K] = dy [M, N]^T . x [M, K]
template <typename T>
void linear_dw(View<const T> dy, View<const T> x, View<T> dw, bool accumulate) {
  for (int64_t n = 0; n < dy.cols; ++n) {
    for (int64_t k = 0; k < x.cols; ++k) {
      double sum = 0;
      for (int64_t m = 0; m < dy.rows; ++m) sum += double(dy.at(m, n)) * double(x.at(m, k));
      put(dw.at(n, k), sum, accumulate);
    }
  }
}

}  // namespace plinth::tensor::ref
