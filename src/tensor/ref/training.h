// Losses and the optimiser. Shapes as in ops.h.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>

#include "tensor/ops.h"
#include "tensor/ref/view.h"

namespace plinth::tensor::ref {

template <typename T>
double log_sum_exp(const T* x, int64_t n) {
  const double peak = *std::max_element(x, x + n);
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += std::exp(double(x[i]) - peak);
  return peak + std::log(sum);
}

template <typename T>
void cross_entropy(View<T> logits, std::span<const int32_t> targets, std::span<const T> weights,
                   std::span<T> losses) {
  for (int64_t r = 0; r < logits.rows; ++r) {
    T* row = logits.row(r);
    if (targets[r] < 0) {
      std::fill_n(row, logits.cols, T{0});
      losses[r] = 0;
      continue;
    }
    const double lse = log_sum_exp(row, logits.cols);
    losses[r] = static_cast<T>(lse - double(row[targets[r]]));
    for (int64_t i = 0; i < logits.cols; ++i) {
      const double p = std::exp(double(row[i]) - lse);
      row[i] = static_cast<T>(double(weights[r]) * (p - (i == targets[r] ? 1 : 0)));
    }
  }
}

template <typename T>
void log_probability(View<const T> logits, std::span<const int32_t> targets, std::span<T> out) {
  for (int64_t r = 0; r < logits.rows; ++r) {
    const double lse = log_sum_exp(logits.row(r), logits.cols);
    out[r] = static_cast<T>(double(logits.at(r, targets[r])) - lse);
  }
}

template <typename T>
void axpy(T a, std::span<const T> x, std::span<T> y) {
  for (size_t i = 0; i < x.size(); ++i) put(y[i], double(a) * double(x[i]), true);
}

template <typename T>
double sum_of_squares(std::span<const T> x) {
  double sum = 0;
  for (const T value : x) sum += double(value) * double(value);
  return sum;
}

template <typename T>
void adamw(std::span<T> w, std::span<T> g, std::span<T> m, std::span<T> v, const AdamW& hyper) {
  const double correct1 = 1 - std::pow(double(hyper.beta1), double(hyper.step));
  const double correct2 = 1 - std::pow(double(hyper.beta2), double(hyper.step));
  for (size_t i = 0; i < w.size(); ++i) {
    const double gradient = double(g[i]) * double(hyper.gradient_scale);
    const double mean = double(hyper.beta1) * double(m[i]) + (1 - double(hyper.beta1)) * gradient;
    const double square =
        double(hyper.beta2) * double(v[i]) + (1 - double(hyper.beta2)) * gradient * gradient;
    m[i] = static_cast<T>(mean);
    v[i] = static_cast<T>(square);
    const double step = mean / correct1 / (std::sqrt(square / correct2) + double(hyper.eps));
    w[i] = static_cast<T>(double(w[i]) -
                          double(hyper.lr) * (step + double(hyper.weight_decay) * double(w[i])));
    g[i] = 0;
  }
}

}  // namespace plinth::tensor::ref
