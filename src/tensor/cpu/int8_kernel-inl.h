// The register tile of quantised products: rows of x, rounded to int8, against a panel of weight
// rows. Included once per Highway target.
//
// One element of y is, whatever the tile it falls in:
//   sum = 0; for every block of 32: sum = fma(float(integer product) * scale, x scale, sum)
// (twice per block where it has two scales), then sum = fma(shift, sum of x, sum) for shifted
// types.
#if defined(PLINTH_TENSOR_CPU_INT8_KERNEL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PLINTH_TENSOR_CPU_INT8_KERNEL_INL_H_
#undef PLINTH_TENSOR_CPU_INT8_KERNEL_INL_H_
#else
#define PLINTH_TENSOR_CPU_INT8_KERNEL_INL_H_
#endif

#include <algorithm>
#include <cstdint>
#include <cstring>

#include <hwy/highway.h>

#include "tensor/cpu/int8_panel-inl.h"
#include "tensor/cpu/simd-inl.h"

#if HWY_TARGET != HWY_SCALAR

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

// Rows of x in a tile. 32 registers: 16 sums, 8 of codes, the rest for products under way, whose
// latency the processor hides by looking ahead. 16 registers: 4 sums and 4 products under way.
inline constexpr int kTile = kByteDots ? 16 : 4;

// A tile of rounded x holds, block after block, for its rows
//   codes  [rows][32] int8
//   start  [runs][rows] int32: -offset * (sum of the run's codes), what its product begins with
//   scale  [rows] float
//   sum    [rows] float: of the rounded values
template <class T>
constexpr int tile_row_bytes(T) {
  return kBlock + 4 * T::kRuns + 8;
}

HWY_INLINE void put(uint8_t* out, int index, int32_t value) {
  std::memcpy(out + 4 * index, &value, 4);
}

HWY_INLINE void put(uint8_t* out, int index, float value) {
  std::memcpy(out + 4 * index, &value, 4);
}

HWY_INLINE WordVector all_at(const uint8_t* words, int index) {
  int32_t value;
  std::memcpy(&value, words + 4 * index, 4);
  return hn::Set(PanelWords(), value);
}

HWY_INLINE FloatVector all_floats_at(const uint8_t* floats, int index) {
  float value;
  std::memcpy(&value, floats + 4 * index, 4);
  return hn::Set(PanelFloats(), value);
}

// Row `i` of a tile. The largest value of a block becomes 127 steps; a block whose largest is below
// 1e-30 counts as zero, and one with a value that is not finite gets a scale of NaN.
template <class T>
HWY_INLINE void round_row(const float* x, int64_t k, int i, int rows, uint8_t* tile) {
  const Tag d;
  const hn::RebindToSigned<Tag> dw;
  const hn::Rebind<int8_t, Tag> small;
  constexpr int kVectors = kBlock / kLanes;
  for (int64_t at = 0; at < k; at += kBlock, tile += rows * tile_row_bytes(T())) {
    Vector v[kVectors];
    Vector peaks = hn::Zero(d);
    Vector poison = hn::Zero(d);
    for (int p = 0; p < kVectors; ++p) {
      v[p] = hn::LoadU(d, x + at + p * kLanes);
      peaks = hn::Max(peaks, hn::Abs(v[p]));
      poison = hn::MulAdd(v[p], hn::Zero(d), poison);
    }
    const float peak = hn::GetLane(hn::MaxOfLanes(d, peaks));
    const float inverse = peak >= 1e-30f ? 127.0f / peak : 0.0f;
    auto* codes = reinterpret_cast<int8_t*>(tile + i * kBlock);
    auto total = hn::Zero(dw);
    int32_t halves[2];
    for (int p = 0; p < kVectors; ++p) {
      const auto code = hn::DemoteTo(small, hn::NearestInt(hn::Mul(v[p], hn::Set(d, inverse))));
      hn::StoreU(code, small, codes + p * kLanes);
      total = hn::Add(total, hn::PromoteTo(dw, code));  // what a NaN became stays within a byte
      if (p + 1 == kVectors / 2) {
        halves[0] = hn::GetLane(hn::SumOfLanes(dw, total));
        total = hn::Zero(dw);
      }
    }
    halves[1] = hn::GetLane(hn::SumOfLanes(dw, total));
    uint8_t* start = tile + rows * kBlock;
    if constexpr (T::kRuns == 1) {
      put(start, i, -T::kOffset * (halves[0] + halves[1]));
    } else {
      put(start, i, -T::kOffset * halves[0]);
      put(start, rows + i, -T::kOffset * halves[1]);
    }
    uint8_t* scales = start + 4 * T::kRuns * rows;
    const float scale =
        (peak >= 1e-30f ? peak / 127.0f : 0.0f) + hn::GetLane(hn::SumOfLanes(d, poison));
    put(scales, i, scale);
    put(scales, rows + i, scale * static_cast<float>(halves[0] + halves[1]));
  }
}

using PanelPairs = hn::Repartition<int16_t, PanelWords>;
using PairVector = hn::Vec<PanelPairs>;

// codes . x by twos; x is the same four bytes for every lane. |codes| <= 128, so that two products
// fit 16 bits: 2 * 127 * 128 does. Highway 1.0 has no product of bytes, and going through 16 bits
// in its words costs four times the instructions.
template <bool kSigned>
HWY_INLINE PairVector dot_twos(ByteVector codes, const uint8_t* x_fours) {
  const WordVector x = all_at(x_fours, 0);
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  const __m256i u = kSigned ? _mm256_abs_epi8(codes.raw) : codes.raw;
  const __m256i s = kSigned ? _mm256_sign_epi8(x.raw, codes.raw) : x.raw;
  return PairVector{_mm256_maddubs_epi16(u, s)};
#elif HWY_TARGET == HWY_SSE4
  const __m128i u = kSigned ? _mm_abs_epi8(codes.raw) : codes.raw;
  const __m128i s = kSigned ? _mm_sign_epi8(x.raw, codes.raw) : x.raw;
  return PairVector{_mm_maddubs_epi16(u, s)};
#else
  // Even and odd bytes as pairs of 16-bit products.
  const PanelPairs d;
  const auto wide = hn::BitCast(d, codes);
  const auto x_wide = hn::BitCast(d, x);
  const auto x_even = hn::ShiftRight<8>(hn::ShiftLeft<8>(x_wide));
  const auto x_odd = hn::ShiftRight<8>(x_wide);
  auto even = hn::ShiftRight<8>(hn::ShiftLeft<8>(wide));
  auto odd = hn::ShiftRight<8>(wide);
  if constexpr (!kSigned) {
    even = hn::And(wide, hn::Set(d, 255));
    odd = hn::And(odd, hn::Set(d, 255));
  }
  return hn::Add(hn::Mul(even, x_even), hn::Mul(odd, x_odd));
#endif
}

// sum + the two halves of every lane.
HWY_INLINE WordVector add_pairs(PairVector pairs, WordVector sum) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  return hn::Add(sum, WordVector{_mm256_madd_epi16(pairs.raw, _mm256_set1_epi16(1))});
#elif HWY_TARGET == HWY_SSE4
  return hn::Add(sum, WordVector{_mm_madd_epi16(pairs.raw, _mm_set1_epi16(1))});
#else
  const PanelWords d;
  const auto words = hn::BitCast(d, pairs);
  return hn::Add(sum,
                 hn::Add(hn::ShiftRight<16>(hn::ShiftLeft<16>(words)), hn::ShiftRight<16>(words)));
#endif
}

// sum + codes . x by fours, for unsigned codes.
HWY_INLINE WordVector dot_fours(ByteVector codes, const uint8_t* x_fours, WordVector sum) {
#if HWY_TARGET == HWY_AVX3_DL
  // As assembly, because Highway 1.0 compiles this target without the intrinsic's feature.
  asm("vpdpbusd %2%{1to16%}, %1, %0"
      : "+v"(sum.raw)
      : "v"(codes.raw), "m"(*reinterpret_cast<const uint8_t(*)[4]>(x_fours)));
  return sum;
#else
  return add_pairs(dot_twos<false>(codes, x_fours), sum);
#endif
}

template <class T, int kRows>
HWY_NOINLINE void multiply_rows(const uint8_t* HWY_RESTRICT x, const Panel& panel, int blocks,
                                float* HWY_RESTRICT sums) {
  const PanelFloats d;
  constexpr int kPerRun = kFours / T::kRuns;
  constexpr int kGroup = HWY_MIN(kRows, 4);
  FloatVector sum[kRows];
  HWY_UNROLL(16)
  for (int i = 0; i < kRows; ++i) sum[i] = hn::Load(d, sums + i * kPanel);
  for (int j = 0; j < blocks; ++j, x += kRows * tile_row_bytes(T())) {
    const uint8_t* start = x + kRows * kBlock;
    const uint8_t* scales = start + 4 * T::kRuns * kRows;
    const auto finish = [&](int i, int run, WordVector dot) HWY_ATTR {
      const auto scaled = hn::Mul(hn::ConvertTo(d, dot), hn::Load(d, panel.scale[j][run]));
      sum[i] = hn::MulAdd(scaled, all_floats_at(scales, i), sum[i]);
    };
    if constexpr (kByteDots) {
      ByteVector codes[kFours];
      for (int g = 0; g < kFours; ++g) codes[g] = hn::Load(PanelBytes(), panel.codes[j][g]);
      HWY_UNROLL(4)
      for (int first = 0; first < kRows; first += kGroup) {
        HWY_UNROLL(2)
        for (int run = 0; run < T::kRuns; ++run) {
          WordVector dot[kGroup];
          HWY_UNROLL(4)
          for (int i = 0; i < kGroup; ++i) dot[i] = all_at(start, run * kRows + first + i);
          HWY_UNROLL(8)
          for (int g = run * kPerRun; g < (run + 1) * kPerRun; ++g) {
            HWY_UNROLL(4)
            for (int i = 0; i < kGroup; ++i)
              dot[i] = dot_fours(codes[g], x + (first + i) * kBlock + 4 * g, dot[i]);
          }
          HWY_UNROLL(4)
          for (int i = 0; i < kGroup; ++i) finish(first + i, run, dot[i]);
        }
      }
    } else {
      for (int run = 0; run < T::kRuns; ++run) {
        WordVector dot[kRows];
        for (int i = 0; i < kRows; ++i) dot[i] = all_at(start, run * kRows + i);
        // Sums of small codes fit 16 bits for a while, which saves widening each.
        constexpr int kNarrow = HWY_MIN(32767 / (2 * 127 * T::kCodeMax), kPerRun);
        HWY_UNROLL(8)
        for (int g = run * kPerRun; g < (run + 1) * kPerRun; g += kNarrow) {
          PairVector pairs[kRows];
          HWY_UNROLL(8)
          for (int n = g; n < g + kNarrow; ++n) {
            const auto codes = hn::Load(PanelBytes(), panel.codes[j][n]);
            for (int i = 0; i < kRows; ++i) {
              const auto twos = dot_twos<T::kSigned>(codes, x + i * kBlock + 4 * n);
              pairs[i] = n == g ? twos : hn::Add(pairs[i], twos);
            }
          }
          for (int i = 0; i < kRows; ++i) dot[i] = add_pairs(pairs[i], dot[i]);
        }
        for (int i = 0; i < kRows; ++i) finish(i, run, dot[i]);
      }
    }
    if constexpr (T::kShifted) {
      const auto shift = hn::Load(d, panel.shift[j]);
      for (int i = 0; i < kRows; ++i)
        sum[i] = hn::MulAdd(shift, all_floats_at(scales, kRows + i), sum[i]);
    }
  }
  HWY_UNROLL(16)
  for (int i = 0; i < kRows; ++i) hn::Store(sum[i], d, sums + i * kPanel);
}

// sums[rows][kPanel] += `blocks` blocks of a tile of x, from where `x` points, times the panel.
template <class T>
HWY_INLINE void multiply_tile(int rows, const uint8_t* x, const Panel& panel, int blocks,
                              float* sums) {
  switch (rows) {
    case 1:
      return multiply_rows<T, 1>(x, panel, blocks, sums);
    case 2:
      return multiply_rows<T, 2>(x, panel, blocks, sums);
    case 4:
      return multiply_rows<T, 4>(x, panel, blocks, sums);
    case 8:
      if constexpr (kTile >= 8) return multiply_rows<T, 8>(x, panel, blocks, sums);
      break;
    case 16:
      if constexpr (kTile >= 16) return multiply_rows<T, 16>(x, panel, blocks, sums);
      break;
    default:
      break;
  }
  PLINTH_CHECK(false, "a tile of {} rows", rows);
}

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#endif  // HWY_TARGET != HWY_SCALAR

#endif
