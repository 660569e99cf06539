// Norms, rotary positions, activations and embeddings, forward and backward. Shapes as in ops.h.
#pragma once

#include <cmath>
#include <span>

#include "tensor/ops.h"
#include "tensor/ref/view.h"

namespace plinth::tensor::ref {

template <typename T>
void rms_norm(View<const T> x, const T* gain, double eps, View<T> y, T* inverse_rms) {
  for (int64_t r = 0; r < x.rows; ++r) {
    double squares = 0;
    for (int64_t i = 0; i < x.cols; ++i) squares += double(x.at(r, i)) * double(x.at(r, i));
    const double inverse = 1 / std::sqrt(squares / static_cast<double>(x.cols) + eps);
    for (int64_t i = 0; i < x.cols; ++i)
      y.at(r, i) = static_cast<T>(double(x.at(r, i)) * inverse * double(gain[i]));
    if (inverse_rms != nullptr) inverse_rms[r] = static_cast<T>(inverse);
  }
}

// With s = 1 / rms and g_i = dy_i gain_i:  dx_i = s g_i - x_i s^3 mean(g x).
template <typename T>
void rms_norm_backward(View<const T> x, const T* gain, const T* inverse_rms, View<const T> dy,
                       View<T> dx, T* dgain) {
  for (int64_t r = 0; r < x.rows; ++r) {
    const double s = inverse_rms[r];
    double dot = 0;
    for (int64_t i = 0; i < x.cols; ++i)
      dot += double(dy.at(r, i)) * double(gain[i]) * double(x.at(r, i));
    const double pull = dot * s * s * s / static_cast<double>(x.cols);
    for (int64_t i = 0; i < x.cols; ++i)
      put(dx.at(r, i), double(dy.at(r, i)) * double(gain[i]) * s - double(x.at(r, i)) * pull, true);
  }
  if (dgain == nullptr) return;
  for (int64_t i = 0; i < x.cols; ++i) {
    double sum = 0;
    for (int64_t r = 0; r < x.rows; ++r)
      sum += double(dy.at(r, i)) * double(x.at(r, i)) * double(inverse_rms[r]);
    put(dgain[i], sum, true);
  }
}

template <typename T>
void layer_norm(View<const T> x, const T* gain, const T* bias, double eps, View<T> y) {
  const auto n = static_cast<double>(x.cols);
  for (int64_t r = 0; r < x.rows; ++r) {
    double sum = 0;
    for (int64_t i = 0; i < x.cols; ++i) sum += double(x.at(r, i));
    const double mean = sum / n;
    double squares = 0;
    for (int64_t i = 0; i < x.cols; ++i) squares += std::pow(double(x.at(r, i)) - mean, 2);
    const double inverse = 1 / std::sqrt(squares / n + eps);
    for (int64_t i = 0; i < x.cols; ++i)
      y.at(r, i) =
          static_cast<T>((double(x.at(r, i)) - mean) * inverse * double(gain[i]) + double(bias[i]));
  }
}

// With n_i = (x_i - mean) s, s = 1 / sqrt(variance + eps) and g_i = dy_i gain_i:
// dx_i = s (g_i - mean(g) - n_i mean(g n)).
template <typename T>
void layer_norm_backward(View<const T> x, const T* gain, double eps, View<const T> dy, View<T> dx,
                         T* dgain, T* dbias) {
  const auto n = static_cast<double>(x.cols);
  for (int64_t r = 0; r < x.rows; ++r) {
    double mean = 0;
    for (int64_t i = 0; i < x.cols; ++i) mean += double(x.at(r, i)) / n;
    double variance = 0;
    for (int64_t i = 0; i < x.cols; ++i) variance += std::pow(double(x.at(r, i)) - mean, 2) / n;
    const double s = 1 / std::sqrt(variance + eps);
    double mean_g = 0;
    double mean_gn = 0;
    for (int64_t i = 0; i < x.cols; ++i) {
      const double g = double(dy.at(r, i)) * double(gain[i]);
      mean_g += g / n;
      mean_gn += g * (double(x.at(r, i)) - mean) * s / n;
    }
    for (int64_t i = 0; i < x.cols; ++i) {
      const double normed = (double(x.at(r, i)) - mean) * s;
      const double d = dy.at(r, i);
      put(dx.at(r, i), s * (d * double(gain[i]) - mean_g - normed * mean_gn), true);
      if (dgain == nullptr) continue;
      put(dgain[i], d * normed, true);
      put(dbias[i], d, true);
    }
  }
}

// Rotates the pair (a, b) of every head by position * frequency; inverse rotates back.
template <typename T>
void rope(View<T> x, std::span<const int32_t> positions, const Rope& how, bool inverse) {
  const int64_t half = how.head_dim / 2;
  for (int64_t r = 0; r < x.rows; ++r) {
    for (int64_t head = 0; head < x.cols / how.head_dim; ++head) {
      T* h = x.row(r) + head * how.head_dim;
      for (int64_t i = 0; i < half; ++i) {
        const double angle = double(positions[r]) * double(how.inverse_frequencies[i]);
        const double size = how.magnitude;
        const double c = size * std::cos(angle);
        const double s = size * (inverse ? -std::sin(angle) : std::sin(angle));
        const bool halves = how.style == RopeStyle::kHalves;
        T& first = h[halves ? i : 2 * i];
        T& second = h[halves ? i + half : 2 * i + 1];
        const double a = first;
        const double b = second;
        first = static_cast<T>(a * c - b * s);
        second = static_cast<T>(a * s + b * c);
      }
    }
  }
}

template <typename T>
void swiglu(View<const T> gate, View<const T> up, View<T> y) {
  for (int64_t r = 0; r < gate.rows; ++r) {
    for (int64_t i = 0; i < gate.cols; ++i) {
      const double g = gate.at(r, i);
      y.at(r, i) = static_cast<T>(g / (1 + std::exp(-g)) * double(up.at(r, i)));
    }
  }
}

template <typename T>
void swiglu_backward(View<const T> gate, View<const T> up, View<const T> dy, View<T> dgate,
                     View<T> dup) {
  for (int64_t r = 0; r < gate.rows; ++r) {
    for (int64_t i = 0; i < gate.cols; ++i) {
      const double g = gate.at(r, i);
      const double u = up.at(r, i);
      const double d = dy.at(r, i);
      const double sigmoid = 1 / (1 + std::exp(-g));
      dgate.at(r, i) = static_cast<T>(d * u * sigmoid * (1 + g * (1 - sigmoid)));
      dup.at(r, i) = static_cast<T>(d * g * sigmoid);
    }
  }
}

template <typename T>
void gelu(View<const T> x, View<T> y) {
  const double root = std::sqrt(2 / std::acos(-1.0));
  for (int64_t r = 0; r < x.rows; ++r) {
    for (int64_t i = 0; i < x.cols; ++i) {
      const double v = x.at(r, i);
      y.at(r, i) = static_cast<T>(v / 2 * (1 + std::tanh(root * (v + 0.044715 * v * v * v))));
    }
  }
}

template <typename T>
void gelu_backward(View<const T> x, View<const T> dy, View<T> dx) {
  const double root = std::sqrt(2 / std::acos(-1.0));
  for (int64_t r = 0; r < x.rows; ++r) {
    for (int64_t i = 0; i < x.cols; ++i) {
      const double v = x.at(r, i);
      const double t = std::tanh(root * (v + 0.044715 * v * v * v));
      const double slope = root * (1 + 3 * 0.044715 * v * v);
      dx.at(r, i) =
          static_cast<T>(double(dy.at(r, i)) * ((1 + t) / 2 + v / 2 * (1 - t * t) * slope));
    }
  }
}

template <typename T>
void embed_backward(std::span<const int32_t> tokens, View<const T> dy, View<T> dtable) {
  for (int64_t i = 0; i < dtable.cols; ++i) {
    for (size_t r = 0; r < tokens.size(); ++r)
      put(dtable.at(tokens[r], i), dy.at(static_cast<int64_t>(r), i), true);
  }
}

}  // namespace plinth::tensor::ref
