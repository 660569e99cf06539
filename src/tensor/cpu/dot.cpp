#include "tensor/cpu/dot.h"

#include "tensor/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/cpu/dot.cpp"

#include <algorithm>
#include <type_traits>
#include <vector>

#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "core/check.h"
#include "tensor/cpu/decode-inl.h"
#include "tensor/cpu/parallel.h"

#ifndef PLINTH_TENSOR_CPU_DOT_ONCE_
#define PLINTH_TENSOR_CPU_DOT_ONCE_

namespace plinth::tensor::cpu {

// Rows of w at once: each load of x serves four. One row of x is bound by memory, which gives most
// when each thread reads one row after the other.
constexpr int kRowsAtOnce = 4;

}  // namespace plinth::tensor::cpu
#endif

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

// Rows of x at once: kW * kX sums + kX of x + 1 of w fill 16 registers.
constexpr int kXMax = 3;

// out[i * out_stride + r] (+)= x row i . w row r. ahead: as many bytes as are read here are fetched
// from there, line by line, because rows are short and the processor starts anew at each.
template <DType kType, int kX, int kW>
HWY_INLINE void dots(const float* x, int64_t x_stride, const uint8_t* const w[], int64_t k,
                     float* out, int64_t out_stride, int64_t w_rows, bool add,
                     const uint8_t* ahead) {
  const Tag d;
  constexpr int64_t kWidth = kType == DType::kF32 ? 4 : 2;
  Vector sum[kW][kX];
  for (int r = 0; r < kW; ++r) {
    for (int i = 0; i < kX; ++i) sum[r][i] = hn::Zero(d);
  }
  int64_t p = 0;
  const auto step = [&] HWY_ATTR {
    Vector xs[kX];
    for (int i = 0; i < kX; ++i) xs[i] = hn::LoadU(d, x + i * x_stride + p);
    for (int r = 0; r < kW; ++r) {
      const Vector wr = load_stored<kType>(w[r] + p * kWidth);
      for (int i = 0; i < kX; ++i) sum[r][i] = hn::MulAdd(wr, xs[i], sum[r][i]);
    }
    p += kLanes;
  };
  constexpr int64_t kLine = 64 / kWidth;
  if constexpr (kLanes <= kLine) {
    while (p + kLine <= k) {
      for (int r = 0; r < kW; ++r, ahead += 64) hwy::Prefetch(ahead);
      for (int64_t i = 0; i < kLine; i += kLanes) step();
    }
  }
  while (p + kLanes <= k) step();
  for (int r = 0; r < w_rows; ++r) {
    float tail[kLanes] = {};
    to_f32(w[r] + p * kWidth, kType, k - p, tail);
    for (int i = 0; i < kX; ++i) {
      float total = sum_of_lanes(sum[r][i]);
      for (int64_t t = p; t < k; ++t) total += tail[t - p] * x[i * x_stride + t];
      float& y = out[i * out_stride + r];
      y = add ? y + total : total;
    }
  }
}

#if HWY_TARGET != HWY_SCALAR
// The same for Q8_0, k in whole blocks, in the order of the floats that it decodes to: code * scale
// is exact in a float, so the bits are those, too.
template <int kX, int kW>
HWY_INLINE void dots_of_blocks(const float* x, int64_t x_stride, const uint8_t* const w[],
                               int64_t k, float* out, int64_t out_stride, int64_t w_rows, bool add,
                               const uint8_t* ahead) {
  const hn::Rebind<int8_t, Tag> small;
  const hn::Rebind<int32_t, Tag> wide;
  constexpr auto kBytes = static_cast<int64_t>(traits(DType::kQ8_0).bytes);
  Vector sum[kW][kX];
  for (int r = 0; r < kW; ++r) {
    for (int i = 0; i < kX; ++i) sum[r][i] = hn::Zero(kTag);
  }
  for (int64_t block = 0; block < k / kBlock; ++block) {
    Vector scale[kW];
    for (int r = 0; r < kW; ++r) {
      const uint8_t* unit = w[r] + block * kBytes;
      hwy::Prefetch(ahead);
      ahead += kBytes;
      scale[r] = hn::Set(kTag, half_at(unit));
    }
    for (int v = 0; v < kBlock; v += kLanes) {
      Vector xs[kX];
      for (int i = 0; i < kX; ++i) xs[i] = hn::LoadU(kTag, x + i * x_stride + block * kBlock + v);
      for (int r = 0; r < kW; ++r) {
        const auto* codes = reinterpret_cast<const int8_t*>(w[r] + block * kBytes + 2 + v);
        const auto code = hn::PromoteTo(wide, hn::LoadU(small, codes));
        const Vector wr = hn::Mul(hn::ConvertTo(kTag, code), scale[r]);
        for (int i = 0; i < kX; ++i) sum[r][i] = hn::MulAdd(wr, xs[i], sum[r][i]);
      }
    }
  }
  for (int r = 0; r < w_rows; ++r) {
    for (int i = 0; i < kX; ++i) {
      const float total = sum_of_lanes(sum[r][i]);
      float& y = out[i * out_stride + r];
      y = add ? y + total : total;
    }
  }
}

// Up to kXMax rows. One row of x takes four of w as well: its chain of sums waits longer for the
// processor than for memory.
HWY_INLINE void dots_of_blocks_by_x(ConstMatrix x, const uint8_t* const w[kRowsAtOnce], float* out,
                                    int64_t out_stride, int64_t w_rows, bool add,
                                    const uint8_t* ahead) {
  const auto with = [&](auto rows) HWY_ATTR {
    dots_of_blocks<rows(), kRowsAtOnce>(x.data, x.stride, w, x.cols, out, out_stride, w_rows, add,
                                        ahead);
  };
  if (x.rows == 1) return with(std::integral_constant<int, 1>());
  if (x.rows == 2) return with(std::integral_constant<int, 2>());
  with(std::integral_constant<int, kXMax>());
}
#endif

// next: what to fetch meanwhile, as many rows of as many bytes.
template <DType kType>
HWY_INLINE void dots_by_x(ConstMatrix x, const uint8_t* const w[kRowsAtOnce], float* out,
                          int64_t out_stride, int64_t w_rows, bool add, const uint8_t* next) {
  if (x.rows == 1) {
    const auto bytes = static_cast<int64_t>(row_bytes(kType, x.cols));
    for (int64_t r = 0; r < w_rows; ++r)
      dots<kType, 1, 1>(x.row(0), 0, w + r, x.cols, out + r, out_stride, 1, add, next + r * bytes);
    return;
  }
  int64_t i = 0;
  for (; i + kXMax <= x.rows; i += kXMax)
    dots<kType, kXMax, kRowsAtOnce>(x.row(i), x.stride, w, x.cols, out + i * out_stride, out_stride,
                                    w_rows, add, next);
  float* rest = out + i * out_stride;
  if (x.rows - i == 2)
    dots<kType, 2, kRowsAtOnce>(x.row(i), x.stride, w, x.cols, rest, out_stride, w_rows, add, next);
  if (x.rows - i == 1)
    dots<kType, 1, kRowsAtOnce>(x.row(i), x.stride, w, x.cols, rest, out_stride, w_rows, add, next);
}

// y[:, begin..end) for the weight's rows [begin, end). scratch: kW * x.cols floats.
void dot_rows(ConstMatrix x, const Weight& w, Matrix y, bool add, int64_t begin, int64_t end,
              const Ahead& ahead, float* scratch) {
  const auto bytes = static_cast<int64_t>(row_bytes(w.type, w.cols));
  const auto* base = static_cast<const uint8_t*>(w.data);
  thread_local std::vector<uint8_t> gathered[kRowsAtOnce];
  constexpr int kW = kRowsAtOnce;
  for (int64_t n = begin; n < end; n += kW) {
    const int64_t rows = std::min<int64_t>(kW, end - n);
    const uint8_t* row[kW];
    for (int r = 0; r < kW; ++r) {
      const int64_t at = n + std::min<int64_t>(r, rows - 1);
      row[r] = w.panel == 0 ? base + bytes * at : w.row(at, gathered[r]);
    }
    DType type = w.type;
    const uint8_t* next = ahead.from(row[0]);
    float* out = y.data + n;
#if HWY_TARGET != HWY_SCALAR
    if (type == DType::kQ8_0 && x.rows <= kXMax) {
      dots_of_blocks_by_x(x, row, out, y.stride, rows, add, next);
      continue;
    }
#endif
    if (is_quantised(type) || (type != DType::kF32 && x.rows > kXMax)) {
      ahead.fetch(row[0], bytes * rows);
      for (int r = 0; r < kW; ++r) {
        decode(row[r], type, 0, w.cols, scratch + r * w.cols);
        row[r] = reinterpret_cast<const uint8_t*>(scratch + r * w.cols);
      }
      type = DType::kF32;
      next = row[0];  // nothing more
    }
    switch (type) {
      case DType::kF32:
        dots_by_x<DType::kF32>(x, row, out, y.stride, rows, add, next);
        break;
      case DType::kF16:
        dots_by_x<DType::kF16>(x, row, out, y.stride, rows, add, next);
        break;
      case DType::kBF16:
        dots_by_x<DType::kBF16>(x, row, out, y.stride, rows, add, next);
        break;
      default:  // quantised: decoded above
        break;
    }
  }
}

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace plinth::tensor::cpu {
namespace {

HWY_EXPORT(dot_rows);

// Rows of w handed to a thread at a time: an eighth of its share, because a task starts without
// anything fetched ahead, but no fewer than are worth handing out.
int64_t dot_grain(ConstMatrix x, int64_t rows) {
  const int64_t work = std::max<int64_t>(1, x.cols * x.rows);
  const int64_t least = (int64_t{64} * 1024 / work + kRowsAtOnce - 1) / kRowsAtOnce;
  const int64_t share = rows / (8 * compute_pool().threads() * kRowsAtOnce);
  return std::max({int64_t{1}, least, share}) * kRowsAtOnce;
}

void check(const Weight& w) {
  PLINTH_CHECK(w.panel == 0 || is_quantised(w.type), "dots with {} in panels of {}",
               dtype_name(w.type), w.panel);
}

const uint8_t* begin_of(const Weight& w) {
  return static_cast<const uint8_t*>(w.data);
}

}  // namespace

Ahead::Ahead(const Weight& w, const Weight& next)
    : bytes_(16384),
      end_(begin_of(w) + static_cast<int64_t>(row_bytes(w.type, w.cols)) * w.rows),
      jump_(begin_of(next) - end_) {}

void linear_by_dots(ConstMatrix x, const Weight& w, Matrix y, bool accumulate, const Ahead& ahead) {
  check(w);
  thread_local Buffer scratch;
  scratch.resize(kRowsAtOnce * x.cols);
  HWY_DYNAMIC_DISPATCH(dot_rows)(x, w, y, accumulate, 0, w.rows, ahead, scratch.data());
}

void linear_by_dots(ConstMatrix x, std::span<const LinearOutput> outputs) {
  int64_t rows = 0;
  for (const auto& o : outputs) {
    check(o.w);
    rows += o.w.rows;
  }
  if (x.rows == 0) return;
  const int64_t grain = dot_grain(x, rows);
  int64_t tasks = 0;
  for (const auto& o : outputs) tasks += (o.w.rows + grain - 1) / grain;
  parallel(tasks, 1, [&](int64_t begin, int64_t end) {
    thread_local Buffer scratch;
    scratch.resize(kRowsAtOnce * x.cols);
    for (int64_t task = begin; task < end; ++task) {
      int64_t at = task;
      const LinearOutput* o = outputs.data();
      for (; at >= (o->w.rows + grain - 1) / grain; ++o) at -= (o->w.rows + grain - 1) / grain;
      HWY_DYNAMIC_DISPATCH(dot_rows)
      (x, o->w, o->y, o->accumulate, at * grain, std::min(o->w.rows, (at + 1) * grain), Ahead(),
       scratch.data());
    }
  });
}

void linear_by_dots(ConstMatrix x, Weight w, Matrix y, bool accumulate) {
  const LinearOutput output = {w, y, accumulate};
  linear_by_dots(x, {&output, 1});
}

}  // namespace plinth::tensor::cpu
#endif
