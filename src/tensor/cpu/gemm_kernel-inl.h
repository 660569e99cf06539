// The register tile of every matrix product here, and the packing that feeds it. Included once per
// Highway target.
//
// A tile is kMr rows by kNr = 2 vectors of columns of C, held in registers over the whole depth:
//   16 registers: 6 x 2 = 12 accumulators + 2 of B + 1 broadcast of A;
//   32 registers: 12 x 2 = 24 accumulators + 2 + 1.
// Each step of depth loads 2 vectors and kMr broadcasts for 2 kMr multiply-adds, so the two load
// ports keep up with the two multipliers, and 12 independent sums cover latency 4 x throughput 2.
// Source: Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", ACM TOMS
// 2008; Van Zee and van de Geijn, "BLIS", ACM TOMS 2015.
#if defined(PLINTH_TENSOR_CPU_GEMM_KERNEL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PLINTH_TENSOR_CPU_GEMM_KERNEL_INL_H_
#undef PLINTH_TENSOR_CPU_GEMM_KERNEL_INL_H_
#else
#define PLINTH_TENSOR_CPU_GEMM_KERNEL_INL_H_
#endif

#include <algorithm>
#include <cstdint>
#include <cstring>

#include <hwy/highway.h>

#include "tensor/cpu/gemm_types.h"
#include "tensor/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX3 || HWY_TARGET == HWY_NEON
inline constexpr int kMr = 12;
#else
inline constexpr int kMr = 6;
#endif
inline constexpr int kNr = 2 * kLanes;

// c [kMr, kNr] (+)= a . b over `depth`; b is one packed panel [depth, kNr].
HWY_INLINE void multiply_tile(const Strided& a, const float* HWY_RESTRICT b, int64_t depth,
                              float* HWY_RESTRICT c, int64_t c_stride, bool add) {
  const Tag d;
  Vector sum[kMr][2];
  HWY_UNROLL(12)
  for (int i = 0; i < kMr; ++i) sum[i][0] = sum[i][1] = hn::Zero(d);

  // One pointer per three rows: the others are reached by base + stride and base + 2 * stride, so
  // the addresses fit the general registers.
  const int64_t row = a.row_step;
  const float* HWY_RESTRICT group[kMr / 3];
  HWY_UNROLL(4)
  for (int g = 0; g < kMr / 3; ++g) group[g] = a.data + 3 * g * row;
  for (int64_t p = 0; p < depth; ++p) {
    const Vector b0 = hn::LoadU(d, b);
    const Vector b1 = hn::LoadU(d, b + kLanes);
    b += kNr;
    HWY_UNROLL(12)
    for (int i = 0; i < kMr; ++i) {
      const Vector ai = hn::Set(d, group[i / 3][i % 3 * row]);
      sum[i][0] = hn::MulAdd(ai, b0, sum[i][0]);
      sum[i][1] = hn::MulAdd(ai, b1, sum[i][1]);
    }
    HWY_UNROLL(4)
    for (int g = 0; g < kMr / 3; ++g) group[g] += a.depth_step;
  }
  HWY_UNROLL(12)
  for (int i = 0; i < kMr; ++i) {
    float* out = c + i * c_stride;
    if (add) {
      sum[i][0] = hn::Add(sum[i][0], hn::LoadU(d, out));
      sum[i][1] = hn::Add(sum[i][1], hn::LoadU(d, out + kLanes));
    }
    hn::StoreU(sum[i][0], d, out);
    hn::StoreU(sum[i][1], d, out + kLanes);
  }
}

// The same where only rows x cols of the tile exist in C. `a` must still have kMr readable rows.
HWY_INLINE void multiply_edge(const Strided& a, const float* b, int64_t depth, float* c,
                              int64_t c_stride, bool add, int64_t rows, int64_t cols) {
  HWY_ALIGN float tile[kMr * kNr];
  multiply_tile(a, b, depth, tile, kNr, false);
  for (int64_t i = 0; i < rows; ++i) {
    float* out = c + i * c_stride;
    const float* in = tile + i * kNr;
    for (int64_t j = 0; j < cols; ++j) out[j] = add ? out[j] + in[j] : in[j];
  }
}

#if HWY_TARGET != HWY_SCALAR
using Quad = hn::Vec<hn::FixedTag<float, 4>>;

// Four rows of four floats, turned: out[k] holds element k of rows 0 to 3.
HWY_INLINE void turn_4x4(const float* row0, const float* row1, const float* row2, const float* row3,
                         Quad out[4]) {
  const hn::FixedTag<float, 4> d;
  const hn::Repartition<double, decltype(d)> d64;
  const Quad r0 = hn::LoadU(d, row0);
  const Quad r1 = hn::LoadU(d, row1);
  const Quad r2 = hn::LoadU(d, row2);
  const Quad r3 = hn::LoadU(d, row3);
  const auto low01 = hn::BitCast(d64, hn::InterleaveLower(d, r0, r1));
  const auto low23 = hn::BitCast(d64, hn::InterleaveLower(d, r2, r3));
  const auto high01 = hn::BitCast(d64, hn::InterleaveUpper(d, r0, r1));
  const auto high23 = hn::BitCast(d64, hn::InterleaveUpper(d, r2, r3));
  out[0] = hn::BitCast(d, hn::InterleaveLower(d64, low01, low23));
  out[1] = hn::BitCast(d, hn::InterleaveUpper(d64, low01, low23));
  out[2] = hn::BitCast(d, hn::InterleaveLower(d64, high01, high23));
  out[3] = hn::BitCast(d, hn::InterleaveUpper(d64, high01, high23));
}
#endif

// The first depth / 4 * 4 steps of pack_turned for a panel with all its rows.
template <int kWidth>
HWY_INLINE int64_t pack_turned_by_four(const float* src, int64_t stride, int64_t depth,
                                       float* HWY_RESTRICT out) {
  int64_t k = 0;
#if HWY_TARGET != HWY_SCALAR
  constexpr int kGroups = (kWidth + 3) / 4;
  const hn::FixedTag<float, 4> d;
  const auto row = [&](int r) HWY_ATTR { return src + std::min(r, kWidth - 1) * stride + k; };
  for (; k + 4 <= depth; k += 4, out += 4 * kWidth) {
    if constexpr (kWidth % 4 == 0) {
      for (int g = 0; g < kGroups; ++g) {
        Quad turned[4];
        turn_4x4(row(4 * g), row(4 * g + 1), row(4 * g + 2), row(4 * g + 3), turned);
        for (int i = 0; i < 4; ++i) hn::StoreU(turned[i], d, out + i * kWidth + 4 * g);
      }
    } else {
      // The last group runs past the panel's width into the next step, which is written afterwards.
      Quad turned[kGroups][4];
      for (int g = 0; g < kGroups; ++g)
        turn_4x4(row(4 * g), row(4 * g + 1), row(4 * g + 2), row(4 * g + 3), turned[g]);
      for (int i = 0; i < 4; ++i) {
        for (int g = 0; g < kGroups; ++g) hn::StoreU(turned[g][i], d, out + i * kWidth + 4 * g);
      }
    }
  }
#else
  (void)src, (void)stride, (void)depth, (void)out;
#endif
  return k;
}

// One panel from rows that are contiguous along the depth: out[k * kWidth + r] = row r [k]. Rows
// from `rows` to kWidth become zeros. When kWidth is not a multiple of 4, up to 3 floats past the
// panel are written too: pack panels in ascending order.
template <int kWidth>
HWY_INLINE void pack_turned(const float* src, int64_t stride, int64_t rows, int64_t depth,
                            float* HWY_RESTRICT out) {
  int64_t done = 0;
  if (rows == kWidth) {
    done = pack_turned_by_four<kWidth>(src, stride, depth, out);
  } else {
    std::fill_n(out, depth * kWidth, 0.0f);
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t k = done; k < depth; ++k) out[k * kWidth + r] = src[r * stride + k];
  }
}

// One panel from rows that are contiguous along the panel's width.
template <int kWidth>
HWY_INLINE void pack_straight(const float* src, int64_t stride, int64_t width, int64_t depth,
                              float* HWY_RESTRICT out) {
  if (width == kWidth) {
    for (int64_t k = 0; k < depth; ++k)
      std::memcpy(out + k * kWidth, src + k * stride, sizeof(float) * kWidth);
    return;
  }
  for (int64_t k = 0; k < depth; ++k) {
    for (int64_t j = 0; j < kWidth; ++j)
      out[k * kWidth + j] = j < width ? src[k * stride + j] : 0.0f;
  }
}

// Panels of kMr rows of a, one after the other; the last is filled up with zeros.
HWY_INLINE void pack_a(const Strided& a, int64_t rows, int64_t depth, float* HWY_RESTRICT out) {
  for (int64_t i = 0; i < rows; i += kMr, out += kMr * depth) {
    const int64_t n = std::min<int64_t>(kMr, rows - i);
    if (a.depth_step == 1) {
      pack_turned<kMr>(a.data + i * a.row_step, a.row_step, n, depth, out);
    } else {
      pack_straight<kMr>(a.data + i, a.depth_step, n, depth, out);
    }
  }
}

// c [rows, cols] (+)= a . panels, which lie panel_step floats apart. `a_packed`: a is the output of
// pack_a, otherwise it is read in place and scratch [kMr * depth] takes the rows that don't fill a
// tile.
HWY_INLINE void multiply_block(const Strided& a, bool a_packed, int64_t rows, int64_t depth,
                               const float* panels, int64_t panel_step, int64_t cols, float* c,
                               int64_t c_stride, bool add, float* scratch) {
  const int64_t full_rows = rows / kMr * kMr;
  Strided last = {scratch, 1, kMr};
  if (full_rows < rows) {
    if (a_packed) {
      last.data = a.data + full_rows * depth;
    } else {
      pack_a({a.data + full_rows * a.row_step, a.row_step, a.depth_step}, rows - full_rows, depth,
             scratch);
    }
  }
  for (int64_t j = 0; j < cols; j += kNr, panels += panel_step) {
    const int64_t width = std::min<int64_t>(kNr, cols - j);
    for (int64_t i = 0; i < full_rows; i += kMr) {
      const Strided tile = a_packed ? Strided{a.data + i * depth, 1, kMr}
                                    : Strided{a.data + i * a.row_step, a.row_step, a.depth_step};
      if (width == kNr) {
        multiply_tile(tile, panels, depth, c + i * c_stride + j, c_stride, add);
      } else {
        multiply_edge(tile, panels, depth, c + i * c_stride + j, c_stride, add, kMr, width);
      }
    }
    if (full_rows < rows)
      multiply_edge(last, panels, depth, c + full_rows * c_stride + j, c_stride, add,
                    rows - full_rows, width);
  }
}

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#endif
