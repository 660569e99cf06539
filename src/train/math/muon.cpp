#include "train/math/muon.h"

#include <algorithm>
#include <cmath>
#include <span>

namespace plinth::train {
namespace {

constexpr int kIterations = 5;
// x -> a x + b x^3 + c x^5 on every singular value: steep at zero, never far from one.
constexpr float kA = 3.4445f, kB = -4.7750f, kC = 2.0315f;
constexpr float kMomentum = 0.95f;
constexpr float kAdamUpdateRms = 0.2f;  // what AdamW's updates come to in practice

std::span<float> flat(tensor::Matrix m) {
  return {m.data, static_cast<size_t>(m.rows * m.cols)};
}

}  // namespace

void Muon::orthogonalise(tensor::Matrix x) {
  const auto values = flat(x);
  const double norm = std::sqrt(ops_->sum_of_squares(values));
  if (norm == 0) return;
  const auto inverse = static_cast<float>(1.0 / norm);
  for (float& value : values) value *= inverse;

  // The Gram matrix is taken on the shorter side: x x^T, or x^T x when x is tall.
  const bool tall = x.rows > x.cols;
  const int64_t side = std::min(x.rows, x.cols);
  const auto gram = gram_.as(side, side);
  const auto polynomial = polynomial_.as(side, side);
  const auto next = next_.as(x.rows, x.cols);
  for (int i = 0; i < kIterations; ++i) {
    if (tall)
      ops_->linear_dw(x, x, gram, false);
    else
      ops_->linear(x, tensor::weight(x), gram, false);
    ops_->linear(gram, tensor::weight(gram), polynomial, false);  // its square: it is symmetric
    const auto g = flat(gram);
    const auto p = flat(polynomial);
    for (size_t j = 0; j < p.size(); ++j) p[j] = kB * g[j] + kC * p[j];
    for (int64_t j = 0; j < side; ++j) polynomial.row(j)[j] += kA;
    if (tall)
      ops_->linear_dx(x, tensor::weight(polynomial), next, false);
    else
      ops_->linear_dx(polynomial, tensor::weight(x), next, false);
    std::copy_n(next.data, values.size(), values.data());
  }
}

void Muon::update(tensor::Matrix weights, tensor::ConstMatrix gradient, tensor::Matrix momentum,
                  const tensor::AdamW& hyper) {
  const auto direction = direction_.as(weights.rows, weights.cols);
  const auto size = static_cast<size_t>(weights.rows * weights.cols);
  for (size_t i = 0; i < size; ++i) {
    const float g = gradient.data[i] * hyper.gradient_scale;
    float& m = momentum.data[i];
    m += (1.0f - kMomentum) * (g - m);
    direction.data[i] = g + kMomentum * (m - g);
  }
  orthogonalise(direction);
  const float scale = hyper.lr * kAdamUpdateRms *
                      std::sqrt(static_cast<float>(std::max(weights.rows, weights.cols)));
  const float keep = 1.0f - hyper.lr * hyper.weight_decay;
  for (size_t i = 0; i < size; ++i)
    weights.data[i] = keep * weights.data[i] - scale * direction.data[i];
}

}  // namespace plinth::train
