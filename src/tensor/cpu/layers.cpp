// All of these read and write each value once or twice: memory is their bound, so plain vector
// loops over rows that stay in L1 do.
#include "tensor/cpu/layers.h"

#include "tensor/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/cpu/layers.cpp"

#include <algorithm>
#include <cmath>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tensor/cpu/decode-inl.h"
#include "tensor/cpu/math-inl.h"
#include "tensor/cpu/parallel.h"

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

void rms_norm_rows(ConstMatrix x, const float* gain, float eps, Matrix y, float* inverse_rms) {
  for (int64_t r = 0; r < x.rows; ++r) {
    const float* in = x.row(r);
    float* out = y.row(r);
    const float squares = sum_over(x.cols, [&](int64_t i, auto part, Vector sum) HWY_ATTR {
      const Vector v = load(in + i, part);
      return hn::MulAdd(v, v, sum);
    });
    const float inverse = 1.0f / std::sqrt(squares / static_cast<float>(x.cols) + eps);
    if (inverse_rms != nullptr) inverse_rms[r] = inverse;
    const Vector scale = hn::Set(kTag, inverse);
    for_lanes(x.cols, [&](int64_t i, auto part) HWY_ATTR {
      const Vector v = hn::Mul(load(in + i, part), scale);
      store(hn::Mul(v, load(gain + i, part)), out + i, part);
    });
  }
}

// dgain_sum [cols] takes the sum over these rows only; null: not wanted.
void rms_norm_backward_rows(ConstMatrix x, const float* gain, const float* inverse_rms,
                            ConstMatrix dy, Matrix dx, float* dgain_sum) {
  if (dgain_sum != nullptr) std::fill_n(dgain_sum, x.cols, 0.0f);
  for (int64_t r = 0; r < x.rows; ++r) {
    const float* in = x.row(r);
    const float* dout = dy.row(r);
    float* din = dx.row(r);
    const float s = inverse_rms[r];
    const float dot = sum_over(x.cols, [&](int64_t i, auto part, Vector sum) HWY_ATTR {
      const Vector g = hn::Mul(load(dout + i, part), load(gain + i, part));
      return hn::MulAdd(g, load(in + i, part), sum);
    });
    const Vector scale = hn::Set(kTag, s);
    const Vector pull = hn::Set(kTag, dot * s * s * s / static_cast<float>(x.cols));
    for_lanes(x.cols, [&](int64_t i, auto part) HWY_ATTR {
      const Vector v = load(in + i, part);
      const Vector d = hn::Mul(load(dout + i, part), scale);
      const Vector total = hn::MulAdd(d, load(gain + i, part), load(din + i, part));
      store(hn::NegMulAdd(v, pull, total), din + i, part);
      if (dgain_sum != nullptr)
        store(hn::MulAdd(d, v, load(dgain_sum + i, part)), dgain_sum + i, part);
    });
  }
}

void add_row(const float* from, int64_t n, float* to) {
  for_lanes(n, [&](int64_t i, auto part) HWY_ATTR {
    store(hn::Add(load(to + i, part), load(from + i, part)), to + i, part);
  });
}

struct RowMoments {
  float mean;
  float squares;  // sum of (x - mean)^2
};

RowMoments row_moments(const float* in, int64_t n) {
  const float sum = sum_over(n, [&](int64_t i, auto part, Vector total)
                                    HWY_ATTR { return hn::Add(total, load(in + i, part)); });
  // Squares about the mean, in a second walk: the difference of two sums would lose the digits.
  const float mean = sum / static_cast<float>(n);
  const Vector shift = hn::Set(kTag, mean);
  const float squares = sum_over(n, [&](int64_t i, auto part, Vector total) HWY_ATTR {
    Vector v = hn::Sub(load(in + i, part), shift);
    if constexpr (std::is_same_v<decltype(part), Part>)
      v = hn::IfThenElseZero(hn::FirstN(kTag, static_cast<size_t>(part.n)), v);
    return hn::MulAdd(v, v, total);
  });
  return {mean, squares};
}

void layer_norm_rows(ConstMatrix x, const float* gain, const float* bias, float eps, Matrix y) {
  const auto n = static_cast<float>(x.cols);
  for (int64_t r = 0; r < x.rows; ++r) {
    const float* in = x.row(r);
    float* out = y.row(r);
    const RowMoments moments = row_moments(in, x.cols);
    const Vector mean = hn::Set(kTag, moments.mean);
    const Vector scale = hn::Set(kTag, 1.0f / std::sqrt(moments.squares / n + eps));
    for_lanes(x.cols, [&](int64_t i, auto part) HWY_ATTR {
      const Vector v = hn::Mul(hn::Sub(load(in + i, part), mean), scale);
      store(hn::MulAdd(v, load(gain + i, part), load(bias + i, part)), out + i, part);
    });
  }
}

// dgain_sum, dbias_sum [cols] take the sums over these rows only; null: not wanted.
void layer_norm_backward_rows(ConstMatrix x, const float* gain, float eps, ConstMatrix dy,
                              Matrix dx, float* dgain_sum, float* dbias_sum) {
  const auto n = static_cast<float>(x.cols);
  if (dgain_sum != nullptr) {
    std::fill_n(dgain_sum, x.cols, 0.0f);
    std::fill_n(dbias_sum, x.cols, 0.0f);
  }
  for (int64_t r = 0; r < x.rows; ++r) {
    const float* in = x.row(r);
    const float* dout = dy.row(r);
    float* din = dx.row(r);
    const RowMoments moments = row_moments(in, x.cols);
    const Vector mean = hn::Set(kTag, moments.mean);
    const float s = 1.0f / std::sqrt(moments.squares / n + eps);
    const float g_sum = sum_over(x.cols, [&](int64_t i, auto part, Vector total) HWY_ATTR {
      return hn::MulAdd(load(dout + i, part), load(gain + i, part), total);
    });
    // g is zero past the end of the row, whatever x - mean is there.
    const float gx_sum = sum_over(x.cols, [&](int64_t i, auto part, Vector total) HWY_ATTR {
      const Vector g = hn::Mul(load(dout + i, part), load(gain + i, part));
      return hn::MulAdd(g, hn::Sub(load(in + i, part), mean), total);
    });
    const Vector scale = hn::Set(kTag, s);
    const Vector lift = hn::Set(kTag, s * g_sum / n);
    const Vector pull = hn::Set(kTag, s * s * gx_sum / n);
    for_lanes(x.cols, [&](int64_t i, auto part) HWY_ATTR {
      const Vector normed = hn::Mul(hn::Sub(load(in + i, part), mean), scale);
      const Vector d = load(dout + i, part);
      const Vector g = hn::Mul(hn::Mul(d, load(gain + i, part)), scale);
      const Vector change = hn::NegMulAdd(normed, pull, hn::Sub(g, lift));
      store(hn::Add(load(din + i, part), change), din + i, part);
      if (dgain_sum == nullptr) return;
      store(hn::MulAdd(d, normed, load(dgain_sum + i, part)), dgain_sum + i, part);
      store(hn::Add(d, load(dbias_sum + i, part)), dbias_sum + i, part);
    });
  }
}

// cosines, then sines, of position * frequency, times the magnitude: 2 * n floats.
void rope_angles(int64_t position, const float* frequencies, int64_t n, float magnitude,
                 float* out) {
  const Wide d;
  constexpr int64_t kWide = HWY_LANES(double);
  for (int64_t i = 0; i < n; i += kWide) {
    HWY_ALIGN double angle[kWide] = {};
    HWY_ALIGN double cosine[kWide];
    HWY_ALIGN double sine[kWide];
    const int64_t m = std::min(kWide, n - i);
    for (int64_t j = 0; j < m; ++j)
      angle[j] = static_cast<double>(position) * static_cast<double>(frequencies[i + j]);
    WideVector c;
    WideVector s;
    cos_sin_of(hn::Load(d, angle), c, s);
    hn::Store(c, d, cosine);
    hn::Store(s, d, sine);
    for (int64_t j = 0; j < m; ++j) {
      out[i + j] = static_cast<float>(cosine[j]) * magnitude;
      out[n + i + j] = static_cast<float>(sine[j]) * magnitude;
    }
  }
}

// One row of `heads` heads. angles as above; sign -1 rotates back.
void rope_row(float* x, int64_t heads, int64_t half, RopeStyle style, const float* angles,
              float sign) {
  const float* cosine = angles;
  const float* sine = angles + half;
  if (style == RopeStyle::kInterleaved) {
    for (int64_t h = 0; h < heads; ++h, x += 2 * half) {
      for (int64_t i = 0; i < half; ++i) {
        const float a = x[2 * i];
        const float b = x[2 * i + 1];
        x[2 * i] = a * cosine[i] - b * sign * sine[i];
        x[2 * i + 1] = a * sign * sine[i] + b * cosine[i];
      }
    }
    return;
  }
  const Vector turn = hn::Set(kTag, sign);
  for (int64_t h = 0; h < heads; ++h, x += 2 * half) {
    for_lanes(half, [&](int64_t i, auto part) HWY_ATTR {
      const Vector c = load(cosine + i, part);
      const Vector s = hn::Mul(load(sine + i, part), turn);
      const Vector a = load(x + i, part);
      const Vector b = load(x + half + i, part);
      store(hn::NegMulAdd(b, s, hn::Mul(a, c)), x + i, part);
      store(hn::MulAdd(a, s, hn::Mul(b, c)), x + half + i, part);
    });
  }
}

HWY_INLINE Vector sigmoid(Vector x) {
  const Vector one = hn::Set(kTag, 1.0f);
  return hn::Div(one, hn::Add(one, exp_of(hn::Neg(x))));
}

void swiglu_rows(ConstMatrix gate, ConstMatrix up, Matrix y) {
  for (int64_t r = 0; r < gate.rows; ++r) {
    const float* g = gate.row(r);
    const float* u = up.row(r);
    float* out = y.row(r);
    for_lanes(gate.cols, [&](int64_t i, auto part) HWY_ATTR {
      const Vector gi = load(g + i, part);
      store(hn::Mul(hn::Mul(gi, sigmoid(gi)), load(u + i, part)), out + i, part);
    });
  }
}

void swiglu_backward_rows(ConstMatrix gate, ConstMatrix up, ConstMatrix dy, Matrix dgate,
                          Matrix dup) {
  for (int64_t r = 0; r < gate.rows; ++r) {
    const float* g = gate.row(r);
    const float* u = up.row(r);
    const float* d = dy.row(r);
    float* dg = dgate.row(r);
    float* du = dup.row(r);
    for_lanes(gate.cols, [&](int64_t i, auto part) HWY_ATTR {
      const Vector gi = load(g + i, part);
      const Vector di = load(d + i, part);
      const Vector ui = load(u + i, part);
      const Vector s = sigmoid(gi);
      const Vector silu = hn::Mul(gi, s);
      // d silu / dg = s (1 + g (1 - s)) = s + silu (1 - s)
      const Vector slope = hn::MulAdd(silu, hn::Sub(hn::Set(kTag, 1.0f), s), s);
      store(hn::Mul(hn::Mul(di, ui), slope), dg + i, part);
      store(hn::Mul(di, silu), du + i, part);
    });
  }
}

// (1 + tanh(u)) / 2 is the sigmoid of 2u.
void gelu_rows(ConstMatrix x, Matrix y) {
  const Vector slope = hn::Set(kTag, 1.5957691216f);  // 2 sqrt(2 / pi)
  const Vector cubic = hn::Set(kTag, 1.5957691216f * 0.044715f);
  for (int64_t r = 0; r < x.rows; ++r) {
    const float* in = x.row(r);
    float* out = y.row(r);
    for_lanes(x.cols, [&](int64_t i, auto part) HWY_ATTR {
      const Vector v = load(in + i, part);
      const Vector twice = hn::Mul(v, hn::MulAdd(hn::Mul(v, v), cubic, slope));
      store(hn::Mul(v, sigmoid(twice)), out + i, part);
    });
  }
}

// With s the sigmoid of w(v) = slope v + cubic v^3: (v s)' = s + v s (1 - s) w'.
void gelu_backward_rows(ConstMatrix x, ConstMatrix dy, Matrix dx) {
  const Vector one = hn::Set(kTag, 1.0f);
  const Vector slope = hn::Set(kTag, 1.5957691216f);  // 2 sqrt(2 / pi)
  const Vector cubic = hn::Set(kTag, 1.5957691216f * 0.044715f);
  const Vector cubic3 = hn::Set(kTag, 1.5957691216f * 0.134145f);
  for (int64_t r = 0; r < x.rows; ++r) {
    const float* in = x.row(r);
    const float* dout = dy.row(r);
    float* din = dx.row(r);
    for_lanes(x.cols, [&](int64_t i, auto part) HWY_ATTR {
      const Vector v = load(in + i, part);
      const Vector square = hn::Mul(v, v);
      const Vector s = sigmoid(hn::Mul(v, hn::MulAdd(square, cubic, slope)));
      const Vector inner = hn::Mul(v, hn::MulAdd(square, cubic3, slope));
      const Vector rise = hn::Mul(hn::Mul(s, hn::Sub(one, s)), inner);
      store(hn::Mul(load(dout + i, part), hn::Add(s, rise)), din + i, part);
    });
  }
}

void decode_row(const uint8_t* row, DType type, int64_t n, float* out) {
  decode(row, type, 0, n, out);
}

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace plinth::tensor::cpu {
namespace {

HWY_EXPORT(rms_norm_rows);
HWY_EXPORT(rms_norm_backward_rows);
HWY_EXPORT(add_row);
HWY_EXPORT(layer_norm_rows);
HWY_EXPORT(layer_norm_backward_rows);
HWY_EXPORT(rope_angles);
HWY_EXPORT(rope_row);
HWY_EXPORT(swiglu_rows);
HWY_EXPORT(swiglu_backward_rows);
HWY_EXPORT(gelu_rows);
HWY_EXPORT(gelu_backward_rows);
HWY_EXPORT(decode_row);

// Rows whose dgain is summed before it is added to the others': by shape, never by worker.
constexpr int64_t kGainRows = 128;

}  // namespace

void rms_norm(ConstMatrix x, const float* gain, float eps, Matrix y, float* inverse_rms) {
  parallel(x.rows, row_grain(x.cols), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(rms_norm_rows)
    (x.slice(begin, end - begin), gain, eps, y.slice(begin, end - begin),
     inverse_rms == nullptr ? nullptr : inverse_rms + begin);
  });
}

void rms_norm_backward(ConstMatrix x, const float* gain, const float* inverse_rms, ConstMatrix dy,
                       Matrix dx, float* dgain) {
  const int64_t blocks = (x.rows + kGainRows - 1) / kGainRows;
  thread_local Buffer sums;
  sums.resize(dgain != nullptr ? blocks * x.cols : 0);
  float* partial = sums.data();
  parallel(blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * kGainRows;
      const int64_t n = std::min(kGainRows, x.rows - first);
      HWY_DYNAMIC_DISPATCH(rms_norm_backward_rows)
      (x.slice(first, n), gain, inverse_rms + first, dy.slice(first, n), dx.slice(first, n),
       dgain != nullptr ? partial + block * x.cols : nullptr);
    }
  });
  if (dgain == nullptr) return;
  for (int64_t block = 0; block < blocks; ++block)
    HWY_DYNAMIC_DISPATCH(add_row)(partial + block * x.cols, x.cols, dgain);
}

void layer_norm(ConstMatrix x, const float* gain, const float* bias, float eps, Matrix y) {
  parallel(x.rows, row_grain(x.cols), [&](int64_t begin, int64_t end) {
    const int64_t n = end - begin;
    HWY_DYNAMIC_DISPATCH(layer_norm_rows)(x.slice(begin, n), gain, bias, eps, y.slice(begin, n));
  });
}

void layer_norm_backward(ConstMatrix x, const float* gain, float eps, ConstMatrix dy, Matrix dx,
                         float* dgain, float* dbias) {
  const int64_t blocks = (x.rows + kGainRows - 1) / kGainRows;
  thread_local Buffer sums;
  sums.resize(dgain != nullptr ? 2 * blocks * x.cols : 0);
  float* partial = sums.data();
  parallel(blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * kGainRows;
      const int64_t n = std::min(kGainRows, x.rows - first);
      float* own = dgain != nullptr ? partial + 2 * block * x.cols : nullptr;
      HWY_DYNAMIC_DISPATCH(layer_norm_backward_rows)
      (x.slice(first, n), gain, eps, dy.slice(first, n), dx.slice(first, n), own,
       own != nullptr ? own + x.cols : nullptr);
    }
  });
  if (dgain == nullptr) return;
  for (int64_t block = 0; block < blocks; ++block) {
    HWY_DYNAMIC_DISPATCH(add_row)(partial + 2 * block * x.cols, x.cols, dgain);
    HWY_DYNAMIC_DISPATCH(add_row)(partial + (2 * block + 1) * x.cols, x.cols, dbias);
  }
}

void rope(Matrix x, std::span<const int32_t> positions, const Rope& how, bool inverse) {
  if (x.rows == 0) return;
  const int64_t half = how.head_dim / 2;
  const int64_t heads = x.cols / how.head_dim;
  const float* frequencies = how.inverse_frequencies.data();
  const float sign = inverse ? -1.0f : 1.0f;
  // A packed batch meets each position many times: its angles are computed once per call. A few
  // rows far into a sequence compute their own.
  const int64_t longest = *std::max_element(positions.begin(), positions.end()) + int64_t{1};
  const bool tabled = longest <= x.rows;
  thread_local Buffer angles;
  angles.resize((tabled ? longest : x.rows) * 2 * half);
  float* table = angles.data();
  if (tabled) {
    parallel(longest, row_grain(8 * half), [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) HWY_DYNAMIC_DISPATCH(rope_angles)
      (p, frequencies, half, how.magnitude, table + p * 2 * half);
    });
  }
  parallel(x.rows, row_grain(x.cols), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      float* own = table + (tabled ? positions[r] : r) * 2 * half;
      if (!tabled)
        HWY_DYNAMIC_DISPATCH(rope_angles)(positions[r], frequencies, half, how.magnitude, own);
      HWY_DYNAMIC_DISPATCH(rope_row)(x.row(r), heads, half, how.style, own, sign);
    }
  });
}

void swiglu(ConstMatrix gate, ConstMatrix up, Matrix y) {
  parallel(gate.rows, row_grain(gate.cols), [&](int64_t begin, int64_t end) {
    const int64_t n = end - begin;
    HWY_DYNAMIC_DISPATCH(swiglu_rows)(gate.slice(begin, n), up.slice(begin, n), y.slice(begin, n));
  });
}

void swiglu_backward(ConstMatrix gate, ConstMatrix up, ConstMatrix dy, Matrix dgate, Matrix dup) {
  parallel(gate.rows, row_grain(gate.cols), [&](int64_t begin, int64_t end) {
    const int64_t n = end - begin;
    HWY_DYNAMIC_DISPATCH(swiglu_backward_rows)
    (gate.slice(begin, n), up.slice(begin, n), dy.slice(begin, n), dgate.slice(begin, n),
     dup.slice(begin, n));
  });
}

void gelu(ConstMatrix x, Matrix y) {
  parallel(x.rows, row_grain(x.cols), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(gelu_rows)(x.slice(begin, end - begin), y.slice(begin, end - begin));
  });
}

void gelu_backward(ConstMatrix x, ConstMatrix dy, Matrix dx) {
  parallel(x.rows, row_grain(x.cols), [&](int64_t begin, int64_t end) {
    const int64_t n = end - begin;
    HWY_DYNAMIC_DISPATCH(gelu_backward_rows)
    (x.slice(begin, n), dy.slice(begin, n), dx.slice(begin, n));
  });
}

void embed(std::span<const int32_t> tokens, Weight table, Matrix y) {
  parallel(static_cast<int64_t>(tokens.size()), row_grain(y.cols), [&](int64_t begin, int64_t end) {
    thread_local std::vector<uint8_t> scratch;
    for (int64_t r = begin; r < end; ++r) HWY_DYNAMIC_DISPATCH(decode_row)
    (table.row(tokens[r], scratch), table.type, table.cols, y.row(r));
  });
}

void embed_backward(std::span<const int32_t> tokens, ConstMatrix dy, Matrix dtable) {
  // Split by columns: each task adds the rows in order, so equal tokens need no care.
  constexpr int64_t kCols = 64;
  parallel((dtable.cols + kCols - 1) / kCols, 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t col = block * kCols;
      const int64_t n = std::min(kCols, dtable.cols - col);
      for (int64_t r = 0; r < static_cast<int64_t>(tokens.size()); ++r)
        HWY_DYNAMIC_DISPATCH(add_row)(dy.row(r) + col, n, dtable.row(tokens[r]) + col);
    }
  });
}

}  // namespace plinth::tensor::cpu
#endif
