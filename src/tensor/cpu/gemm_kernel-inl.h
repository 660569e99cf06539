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

#include <hwy/cache_control.h>
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

inline constexpr int64_t kFloatsOfLine = 16;  // of the cache

// Tiles of a third and of two thirds of the rows take those that are left: 64, 128 and 512 rows,
// which training often has, leave 4 or 8 of 12.
inline constexpr int kThird = kMr / 3;

// How the rows that a tile reads lie.
enum class Lay {
  kPacked,  // as pack_a leaves them, and the next tile behind
  kAlong,   // each along the depth, and the next tile's rows behind
  kAcross,  // next to each other at each step of depth, and so on behind
  kAny,
};

// c [kRows, kVectors * kLanes] (+)= a . b over `depth`; b is one packed panel [depth, kNr]. While a
// tile is multiplied the rows of the next are fetched: they come from L2 or L3 once per panel, and
// waiting for them costs as much as a panel's multiply-adds.
template <Lay kLay, int kVectors, int kRows>
HWY_INLINE void multiply_tile(const Strided& a, const float* HWY_RESTRICT b, int64_t depth,
                              float* HWY_RESTRICT c, int64_t c_stride, bool add) {
  const Tag d;
  Vector sum[kRows][kVectors];
  HWY_UNROLL(12)
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kVectors; ++j) sum[i][j] = hn::Zero(d);
  }

  // One pointer per three rows: the others are reached by base + stride and base + 2 * stride, so
  // the addresses fit the general registers.
  const int64_t row = a.row_step;
  constexpr int kGroups = (kRows + 2) / 3;
  const float* HWY_RESTRICT group[kGroups];
  HWY_UNROLL(4)
  for (int g = 0; g < kGroups; ++g) group[g] = a.data + 3 * g * row;
  const auto step = [&]() HWY_ATTR {
    const Vector b0 = hn::LoadU(d, b);
    const Vector b1 = hn::LoadU(d, b + (kVectors - 1) * kLanes);
    b += kNr;
    HWY_UNROLL(12)
    for (int i = 0; i < kRows; ++i) {
      const Vector ai = hn::Set(d, group[i / 3][i % 3 * row]);
      sum[i][0] = hn::MulAdd(ai, b0, sum[i][0]);
      if constexpr (kVectors == 2) sum[i][1] = hn::MulAdd(ai, b1, sum[i][1]);
    }
    HWY_UNROLL(4)
    for (int g = 0; g < kGroups; ++g) group[g] += kLay == Lay::kAlong ? 1 : a.depth_step;
  };
  int64_t p = 0;
  if constexpr (kLay == Lay::kAlong) {
    // A cache line of each row holds as many steps.
    for (; p + kFloatsOfLine <= depth; p += kFloatsOfLine) {
      const float* next = group[0] + kRows * row;
      for (int i = 0; i < kRows; ++i, next += row) {
        hwy::Prefetch(next);
        step();
      }
      for (int i = kRows; i < kFloatsOfLine; ++i) step();
    }
  }
  for (; p < depth; ++p) {
    if constexpr (kLay == Lay::kPacked) hwy::Prefetch(group[0] + kMr * depth);
    if constexpr (kLay == Lay::kAcross) hwy::Prefetch(group[0] + kRows + kFloatsOfLine - 1);
    step();
  }
  HWY_UNROLL(12)
  for (int i = 0; i < kRows; ++i) {
    float* out = c + i * c_stride;
    for (int j = 0; j < kVectors; ++j) {
      if (add) sum[i][j] = hn::Add(sum[i][j], hn::LoadU(d, out + j * kLanes));
      hn::StoreU(sum[i][j], d, out + j * kLanes);
    }
  }
}

// The same where rows x cols of the tile exist in C. kRows can be read.
template <int kRows>
HWY_INLINE void multiply_part(const Strided& a, const float* b, int64_t depth, float* c,
                              int64_t c_stride, bool add, int64_t rows, int64_t cols) {
  if (rows == kRows && cols == kNr)
    return multiply_tile<Lay::kAny, 2, kRows>(a, b, depth, c, c_stride, add);
  // The columns of a LoRA product are its rank: often just one vector.
  if (rows == kRows && cols == kLanes)
    return multiply_tile<Lay::kAny, 1, kRows>(a, b, depth, c, c_stride, add);
  HWY_ALIGN float tile[kMr * kNr];
  if (cols <= kLanes) {
    multiply_tile<Lay::kAny, 1, kRows>(a, b, depth, tile, kNr, false);
  } else {
    multiply_tile<Lay::kAny, 2, kRows>(a, b, depth, tile, kNr, false);
  }
  for (int64_t i = 0; i < rows; ++i) {
    float* out = c + i * c_stride;
    const float* in = tile + i * kNr;
    for (int64_t j = 0; j < cols; ++j) out[j] = add ? out[j] + in[j] : in[j];
  }
}

// A tile at an edge of C. `rows`, rounded up to thirds of a tile, can be read.
inline HWY_NOINLINE void multiply_edge(const Strided& a, const float* b, int64_t depth, float* c,
                                       int64_t c_stride, bool add, int64_t rows, int64_t cols) {
  if (rows <= kThird) return multiply_part<kThird>(a, b, depth, c, c_stride, add, rows, cols);
  if (rows <= 2 * kThird)
    return multiply_part<2 * kThird>(a, b, depth, c, c_stride, add, rows, cols);
  multiply_part<kMr>(a, b, depth, c, c_stride, add, rows, cols);
}

#if HWY_TARGET != HWY_SCALAR
// Every four lanes of v, one after the other, `step` floats apart.
template <class D>
HWY_INLINE void store_fours(D d, hn::Vec<D> v, float* out, int64_t step) {
  if constexpr (hn::MaxLanes(D()) == 4) {
    (void)step;
    hn::StoreU(v, d, out);
  } else {
    const hn::Half<D> half;
    store_fours(half, hn::LowerHalf(half, v), out, step);
    store_fours(half, hn::UpperHalf(half, v), out + hn::MaxLanes(D()) / 8 * step, step);
  }
}

// Four rows, turned: out[4 k + r] = row r [k] with steps of kWidth between values of k, for as many
// k < depth as vectors of D cover. Returns how many. What lies `ahead` floats behind each value is
// fetched, unless ahead is 0.
template <int kWidth, class D>
HWY_INLINE int64_t turn_rows(D d, const float* const rows[4], int64_t begin, int64_t depth,
                             float* HWY_RESTRICT out, int64_t ahead) {
  constexpr int64_t kStep = hn::MaxLanes(D());
  const hn::Repartition<double, D> d64;
  int64_t k = begin;
  for (; k + kStep <= depth; k += kStep) {
    if (ahead != 0) {
      for (int r = 0; r < 4; ++r) hwy::Prefetch(rows[r] + k + ahead);
    }
    const auto r0 = hn::LoadU(d, rows[0] + k);
    const auto r1 = hn::LoadU(d, rows[1] + k);
    const auto r2 = hn::LoadU(d, rows[2] + k);
    const auto r3 = hn::LoadU(d, rows[3] + k);
    // Within each 128 bits: pairs of rows, then fours.
    const auto low01 = hn::BitCast(d64, hn::InterleaveLower(d, r0, r1));
    const auto low23 = hn::BitCast(d64, hn::InterleaveLower(d, r2, r3));
    const auto high01 = hn::BitCast(d64, hn::InterleaveUpper(d, r0, r1));
    const auto high23 = hn::BitCast(d64, hn::InterleaveUpper(d, r2, r3));
    float* to = out + k * kWidth;
    store_fours(d, hn::BitCast(d, hn::InterleaveLower(d64, low01, low23)), to, 4 * kWidth);
    store_fours(d, hn::BitCast(d, hn::InterleaveUpper(d64, low01, low23)), to + kWidth, 4 * kWidth);
    store_fours(d, hn::BitCast(d, hn::InterleaveLower(d64, high01, high23)), to + 2 * kWidth,
                4 * kWidth);
    store_fours(d, hn::BitCast(d, hn::InterleaveUpper(d64, high01, high23)), to + 3 * kWidth,
                4 * kWidth);
  }
  return k;
}
#endif

// One panel from rows that are contiguous along the depth: out[k * kWidth + r] = row r [k]. Rows
// from `rows` to kFilled become zeros. kFetch: rows that follow are packed next, and are fetched.
template <int kWidth, bool kFetch = false, int kFilled = kWidth>
HWY_INLINE void pack_turned(const float* src, int64_t stride, int64_t rows, int64_t depth,
                            float* HWY_RESTRICT out) {
  if (rows < kFilled) std::fill_n(out, depth * kWidth, 0.0f);
  int64_t r = 0;
#if HWY_TARGET != HWY_SCALAR
  for (; r + 4 <= rows; r += 4) {
    const float* const four[4] = {src + r * stride, src + (r + 1) * stride, src + (r + 2) * stride,
                                  src + (r + 3) * stride};
    int64_t k = turn_rows<kWidth>(Tag(), four, 0, depth, out + r, kFetch ? 4 * stride : 0);
    if constexpr (kLanes > 4)
      k = turn_rows<kWidth>(hn::FixedTag<float, 4>(), four, k, depth, out + r, 0);
    for (; k < depth; ++k) {
      for (int i = 0; i < 4; ++i) out[k * kWidth + r + i] = four[i][k];
    }
  }
#endif
  for (; r < rows; ++r) {
    for (int64_t k = 0; k < depth; ++k) out[k * kWidth + r] = src[r * stride + k];
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
  for (int64_t k = 0; k < depth; ++k, src += stride, out += kWidth) {
    // Elsewhere a masked load reads the whole vector.
    if constexpr (HWY_TARGET <= HWY_AVX2 && kWidth == 2 * kLanes) {
      const auto low = hn::FirstN(kTag, static_cast<size_t>(width));
      const auto high = hn::FirstN(kTag, static_cast<size_t>(std::max<int64_t>(width - kLanes, 0)));
      hn::StoreU(hn::MaskedLoad(low, kTag, src), kTag, out);
      hn::StoreU(hn::MaskedLoad(high, kTag, src + kLanes), kTag, out + kLanes);
    } else {
      std::copy_n(src, width, out);
      std::fill_n(out + width, kWidth - width, 0.0f);
    }
  }
}

// Tiles of rows that lie along the rows which are packed together: of each step of depth, whole
// cache lines. More would write to as many places that are 4 KiB apart, one set of L1.
inline constexpr int kTilesAtOnce = 8;
// Steps of depth between such a read and the fetch that it makes.
inline constexpr int kStepsAhead = 8;

// Panels of kMr rows of a, one after the other; the last is filled up with zeros. Rows are many
// short runs, too short for the processor to foresee: fetched ahead they are packed in 0.6 of the
// time when they come from memory (4 rows or 8 steps ahead; twice as many gain nothing).
HWY_INLINE void pack_a(const Strided& a, int64_t rows, int64_t depth, float* HWY_RESTRICT out) {
  const int64_t full_rows = rows / kMr * kMr;
  if (a.depth_step == 1) {
    for (int64_t i = 0; i < full_rows; i += kMr)
      pack_turned<kMr, true>(a.data + i * a.row_step, a.row_step, kMr, depth, out + i * depth);
  } else {
    for (int64_t i = 0; i < full_rows; i += kTilesAtOnce * kMr) {
      const int64_t end = std::min<int64_t>(full_rows, i + kTilesAtOnce * kMr);
      for (int64_t k = 0; k < depth; ++k) {
        const float* from = a.data + k * a.depth_step;
        for (int64_t r = i; r < end; r += kFloatsOfLine)
          hwy::Prefetch(from + kStepsAhead * a.depth_step + r);
        for (int64_t r = i; r < end; r += kMr)
          std::memcpy(out + r * depth + k * kMr, from + r, kMr * sizeof(float));
      }
    }
  }
  if (full_rows == rows) return;
  const float* rest = a.data + full_rows * a.row_step;
  if (a.depth_step == 1) {
    pack_turned<kMr>(rest, a.row_step, rows - full_rows, depth, out + full_rows * depth);
  } else {
    pack_straight<kMr>(rest, a.depth_step, rows - full_rows, depth, out + full_rows * depth);
  }
}

// What multiply_block does before each tile of C when there is nothing to fetch.
struct NothingToFetch {
  void operator()(const float*) const {}
};

// The tiles of multiply_block of one panel.
template <Lay kLay, class Fetch>
HWY_INLINE void multiply_panel(const Strided& a, const Strided& last, int64_t rows, int64_t depth,
                               const float* panel, int64_t width, float* c, int64_t c_stride,
                               bool add, const Fetch& fetch) {
  const int64_t full_rows = rows / kMr * kMr;
  for (int64_t i = 0; i < full_rows; i += kMr, c += kMr * c_stride) {
    fetch(c);
    const Strided tile = kLay == Lay::kPacked
                             ? Strided{a.data + i * depth, 1, kMr}
                             : Strided{a.data + i * a.row_step, a.row_step, a.depth_step};
    if (width == kNr) {
      multiply_tile<kLay, 2, kMr>(tile, panel, depth, c, c_stride, add);
    } else if (width == kLanes) {  // the rank of an adapter, often
      multiply_tile<kLay, 1, kMr>(tile, panel, depth, c, c_stride, add);
    } else {
      multiply_edge(tile, panel, depth, c, c_stride, add, kMr, width);
    }
  }
  if (full_rows < rows) {
    fetch(c);
    multiply_edge(last, panel, depth, c, c_stride, add, rows - full_rows, width);
  }
}

// The rows that don't fill a tile: where they lie if they are whole thirds of one, else packed into
// scratch [kMr * depth].
HWY_INLINE Strided last_tile(const Strided& a, bool a_packed, int64_t rows, int64_t depth,
                             float* scratch) {
  const int64_t first = rows / kMr * kMr;
  if (a_packed) return {a.data + first * depth, 1, kMr};
  const Strided rest = {a.data + first * a.row_step, a.row_step, a.depth_step};
  if ((rows - first) % kThird == 0) return rest;
  pack_a(rest, rows - first, depth, scratch);
  return {scratch, 1, kMr};
}

// c [rows, cols] (+)= a . panels, which lie panel_step floats apart. `a_packed`: a is the output of
// pack_a, otherwise it is read in place and scratch [kMr * depth] takes the rows that don't fill a
// tile. fetch(c) is called before each tile, with where it lies in C.
template <class Fetch = NothingToFetch>
HWY_INLINE void multiply_block(const Strided& a, bool a_packed, int64_t rows, int64_t depth,
                               const float* panels, int64_t panel_step, int64_t cols, float* c,
                               int64_t c_stride, bool add, float* scratch,
                               const Fetch& fetch = {}) {
  const Strided last = last_tile(a, a_packed, rows, depth, scratch);
  for (int64_t j = 0; j < cols; j += kNr, panels += panel_step) {
    const int64_t width = std::min<int64_t>(kNr, cols - j);
    float* const out = c + j;
    if (a_packed) {
      multiply_panel<Lay::kPacked>(a, last, rows, depth, panels, width, out, c_stride, add, fetch);
    } else if (a.depth_step == 1) {
      multiply_panel<Lay::kAlong>(a, last, rows, depth, panels, width, out, c_stride, add, fetch);
    } else {
      multiply_panel<Lay::kAcross>(a, last, rows, depth, panels, width, out, c_stride, add, fetch);
    }
  }
}

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#endif
