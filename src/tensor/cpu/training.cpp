#include "tensor/cpu/training.h"

#include "tensor/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/cpu/training.cpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tensor/cpu/math-inl.h"
#include "tensor/cpu/parallel.h"

#ifndef PLINTH_TENSOR_CPU_TRAINING_ONCE_
#define PLINTH_TENSOR_CPU_TRAINING_ONCE_

namespace plinth::tensor::cpu {

// AdamW with everything that does not depend on the element worked out.
struct AdamStep {
  float scale;  // of gradients
  float beta1, beta2;
  float rate;            // lr / (1 - beta1^step)
  float inverse_square;  // 1 / (1 - beta2^step)
  float eps;
  float keep;  // 1 - lr * weight_decay
};

}  // namespace plinth::tensor::cpu
#endif

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

float peak_of(const float* x, int64_t n) {
  Vector peak = hn::Set(kTag, x[0]);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) peak = hn::Max(peak, hn::LoadU(kTag, x + i));
  float best = hn::GetLane(hn::MaxOfLanes(kTag, peak));
  for (; i < n; ++i) best = std::max(best, x[i]);
  return best;
}

// The sum of exp(x - peak); written to out as it goes, unless out is null.
float sum_of_exp(const float* x, int64_t n, float peak, float* out) {
  const Vector shift = hn::Set(kTag, peak);
  return sum_over(n, [&](int64_t i, auto part, Vector sum) HWY_ATTR {
    Vector e = exp_of(hn::Sub(load(x + i, part), shift));
    if (out != nullptr) store(e, out + i, part);
    if constexpr (std::is_same_v<decltype(part), Part>)
      e = hn::IfThenElseZero(hn::FirstN(kTag, static_cast<size_t>(part.n)), e);
    return hn::Add(sum, e);
  });
}

// The sum of exp(scale * (x - peak)).
float scaled_sum_of_exp(const float* x, int64_t n, float peak, float scale) {
  const Vector shift = hn::Set(kTag, peak);
  const Vector factor = hn::Set(kTag, scale);
  return sum_over(n, [&](int64_t i, auto part, Vector sum) HWY_ATTR {
    Vector e = exp_of(hn::Mul(factor, hn::Sub(load(x + i, part), shift)));
    if constexpr (std::is_same_v<decltype(part), Part>)
      e = hn::IfThenElseZero(hn::FirstN(kTag, static_cast<size_t>(part.n)), e);
    return hn::Add(sum, e);
  });
}

void scale_row(float* x, int64_t n, float by) {
  const Vector factor = hn::Set(kTag, by);
  for_lanes(n, [&](int64_t i, auto part)
                   HWY_ATTR { store(hn::Mul(load(x + i, part), factor), x + i, part); });
}

void axpy_range(float a, const float* x, int64_t n, float* y) {
  const Vector factor = hn::Set(kTag, a);
  for_lanes(n, [&](int64_t i, auto part) HWY_ATTR {
    store(hn::MulAdd(factor, load(x + i, part), load(y + i, part)), y + i, part);
  });
}

float squares_of(const float* x, int64_t n) {
  return sum_over(n, [&](int64_t i, auto part, Vector sum) HWY_ATTR {
    const Vector v = load(x + i, part);
    return hn::MulAdd(v, v, sum);
  });
}

void adamw_range(float* w, float* g, float* m, float* v, int64_t n, const AdamStep& step) {
  const auto set = [](float value) HWY_ATTR { return hn::Set(kTag, value); };
  const Vector scale = set(step.scale), beta1 = set(step.beta1), beta2 = set(step.beta2);
  const Vector rest1 = set(1 - step.beta1), rest2 = set(1 - step.beta2);
  const Vector rate = set(step.rate), inverse_square = set(step.inverse_square);
  const Vector eps = set(step.eps), keep = set(step.keep);
  for_lanes(n, [&](int64_t i, auto part) HWY_ATTR {
    const Vector gradient = hn::Mul(load(g + i, part), scale);
    const Vector mean = hn::MulAdd(rest1, gradient, hn::Mul(beta1, load(m + i, part)));
    const Vector square =
        hn::MulAdd(hn::Mul(rest2, gradient), gradient, hn::Mul(beta2, load(v + i, part)));
    const Vector below = hn::Add(hn::Sqrt(hn::Mul(square, inverse_square)), eps);
    const Vector down = hn::Div(hn::Mul(mean, rate), below);
    store(mean, m + i, part);
    store(square, v + i, part);
    store(hn::Sub(hn::Mul(load(w + i, part), keep), down), w + i, part);
    store(hn::Zero(kTag), g + i, part);
  });
}

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace plinth::tensor::cpu {
namespace {

HWY_EXPORT(peak_of);
HWY_EXPORT(sum_of_exp);
HWY_EXPORT(scaled_sum_of_exp);
HWY_EXPORT(scale_row);
HWY_EXPORT(axpy_range);
HWY_EXPORT(squares_of);
HWY_EXPORT(adamw_range);

// Elements per task of the flat loops: 64 KiB per array. Also the unit of sum_of_squares.
constexpr int64_t kFlat = 16 * 1024;

}  // namespace

void cross_entropy(Matrix logits, std::span<const int32_t> targets, std::span<const float> weights,
                   std::span<float> losses) {
  const int64_t n = logits.cols;
  parallel(logits.rows, row_grain(n), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      float* row = logits.row(r);
      if (targets[r] < 0) {
        std::fill_n(row, n, 0.0f);
        losses[r] = 0;
        continue;
      }
      const float target = row[targets[r]];
      const float peak = HWY_DYNAMIC_DISPATCH(peak_of)(row, n);
      const float sum = HWY_DYNAMIC_DISPATCH(sum_of_exp)(row, n, peak, row);
      losses[r] = static_cast<float>(std::log(double{sum}) + (double{peak} - double{target}));
      HWY_DYNAMIC_DISPATCH(scale_row)(row, n, weights[r] / sum);
      row[targets[r]] -= weights[r];
    }
  });
}

void log_probability(ConstMatrix logits, std::span<const int32_t> targets, std::span<float> out) {
  const int64_t n = logits.cols;
  parallel(logits.rows, row_grain(n), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const float* row = logits.row(r);
      const float peak = HWY_DYNAMIC_DISPATCH(peak_of)(row, n);
      const float sum = HWY_DYNAMIC_DISPATCH(sum_of_exp)(row, n, peak, nullptr);
      out[r] = static_cast<float>((double{row[targets[r]]} - double{peak}) - std::log(double{sum}));
    }
  });
}

void exp_sums(std::span<const float> x, float peak, float scale, std::span<float> sums) {
  parallel(std::ssize(sums), kFlat / kExpSums, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i * kExpSums;
      const int64_t n = std::min(kExpSums, std::ssize(x) - first);
      sums[static_cast<size_t>(i)] =
          HWY_DYNAMIC_DISPATCH(scaled_sum_of_exp)(x.data() + first, n, peak, scale);
    }
  });
}

void axpy(float a, std::span<const float> x, std::span<float> y) {
  parallel(static_cast<int64_t>(x.size()), kFlat, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(axpy_range)(a, x.data() + begin, end - begin, y.data() + begin);
  });
}

double sum_of_squares(std::span<const float> x) {
  const auto n = static_cast<int64_t>(x.size());
  thread_local std::vector<double> sums;
  sums.resize(static_cast<size_t>((n + kFlat - 1) / kFlat));
  double* partial = sums.data();
  parallel(n, kFlat, [&](int64_t begin, int64_t end) {
    partial[begin / kFlat] =
        double{HWY_DYNAMIC_DISPATCH(squares_of)(x.data() + begin, end - begin)};
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

void adamw(std::span<float> w, std::span<float> g, std::span<float> m, std::span<float> v,
           const AdamW& hyper) {
  const auto steps = static_cast<double>(hyper.step);
  const double correct1 = 1 - std::pow(double{hyper.beta1}, steps);
  const double correct2 = 1 - std::pow(double{hyper.beta2}, steps);
  const AdamStep step = {hyper.gradient_scale,
                         hyper.beta1,
                         hyper.beta2,
                         static_cast<float>(double{hyper.lr} / correct1),
                         static_cast<float>(1 / correct2),
                         hyper.eps,
                         1 - hyper.lr * hyper.weight_decay};
  parallel(static_cast<int64_t>(w.size()), kFlat, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(adamw_range)
    (w.data() + begin, g.data() + begin, m.data() + begin, v.data() + begin, end - begin, step);
  });
}

}  // namespace plinth::tensor::cpu
#endif
