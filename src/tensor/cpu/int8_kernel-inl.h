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

#include "tensor/cpu/int8_rows-inl.h"
#include "tensor/cpu/int8_unpack-inl.h"
#include "tensor/cpu/simd-inl.h"

#if HWY_TARGET != HWY_SCALAR

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

using PairVector = hn::Vec<PanelPairs>;

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
#define PLINTH_PAIRS(name) _mm256_##name
#elif HWY_TARGET == HWY_SSE4
#define PLINTH_PAIRS(name) _mm_##name
#endif

// The sums go on in the order in which they are written: the compiler would otherwise turn a chain
// of them into a tree, for which there are not registers enough.
template <class V>
HWY_INLINE void in_order(V& v) {
#if defined(PLINTH_PAIRS)
  asm("" : "+x"(v.raw));
#else
  (void)v;
#endif
}

// codes . x by twos; x is the same four bytes for every lane. Unsigned codes are below 64 and
// signed ones at most 128, so that two products fit 16 bits. Highway 1.0 has no product of bytes,
// and going through 16 bits in its words costs four times the instructions.
template <bool kSigned>
HWY_INLINE PairVector dot_twos(ByteVector codes, WordVector x) {
#if defined(PLINTH_PAIRS)
  // The product takes one factor without a sign, which then goes to x.
  const auto size = kSigned ? PLINTH_PAIRS(abs_epi8)(codes.raw) : codes.raw;
  const auto signed_x = kSigned ? PLINTH_PAIRS(sign_epi8)(x.raw, codes.raw) : x.raw;
  return PairVector{PLINTH_PAIRS(maddubs_epi16)(size, signed_x)};
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

// The sum of both products of every lane.
HWY_INLINE WordVector dot_pairs(PairVector a, PairVector b) {
#if defined(PLINTH_PAIRS)
  return WordVector{PLINTH_PAIRS(madd_epi16)(a.raw, b.raw)};
#else
  const PanelWords d;
  const auto low = [&](PairVector v) HWY_ATTR {
    return hn::ShiftRight<16>(hn::ShiftLeft<16>(hn::BitCast(d, v)));
  };
  const auto high = [&](PairVector v) HWY_ATTR { return hn::ShiftRight<16>(hn::BitCast(d, v)); };
  return hn::Add(hn::Mul(low(a), low(b)), hn::Mul(high(a), high(b)));
#endif
}

// The integer products of one run of a block, from what `dot` holds on.
template <class T, int kRows, int kPanels>
HWY_INLINE void multiply_run(const uint8_t* HWY_RESTRICT x, const Panel* panels, int j, int run,
                             WordVector dot[kPanels][kRows]) {
  constexpr int kVectors = T::kWide ? 2 * kFours : kFours;
  constexpr int kPerRun = kVectors / T::kRuns;
  const int begin = run * kPerRun;
  if constexpr (T::kWide) {
    HWY_UNROLL(16)
    for (int g = 0; g < kPerRun; ++g) {
      PairVector codes[kPanels];
      for (int p = 0; p < kPanels; ++p)
        codes[p] = hn::BitCast(PanelPairs(), hn::Load(PanelBytes(), panels[p].codes[j][begin + g]));
      for (int i = 0; i < kRows; ++i) {
        const auto xs = hn::BitCast(PanelPairs(), all_at(x + i * code_bytes(T()), begin + g));
        for (int p = 0; p < kPanels; ++p) {
          dot[p][i] = hn::Add(dot[p][i], dot_pairs(codes[p], xs));
          in_order(dot[p][i]);
        }
      }
    }
  } else {
    // Sums of small codes fit 16 bits for a while, which saves widening each.
    constexpr int kNarrow = HWY_MIN(32767 / (2 * 127 * T::kCodeMax), kPerRun);
    for (int first = begin; first < begin + kPerRun; first += kNarrow) {
      PairVector twos[kPanels][kRows];
      HWY_UNROLL(8)
      for (int g = 0; g < kNarrow; ++g) {
        ByteVector codes[kPanels];
        for (int p = 0; p < kPanels; ++p) {
          codes[p] = T::kSigned ? hn::LoadU(PanelBytes(), panels[p].stored +
                                                              (j * kFours + first + g) * 4 * kPanel)
                                : hn::Load(PanelBytes(), panels[p].codes[j][first + g]);
        }
        for (int i = 0; i < kRows; ++i) {
          const WordVector xs = all_at(x + i * code_bytes(T()), first + g);
          for (int p = 0; p < kPanels; ++p) {
            const PairVector product = dot_twos<T::kSigned>(codes[p], xs);
            twos[p][i] = g == 0 ? product : hn::Add(twos[p][i], product);
            in_order(twos[p][i]);
          }
        }
      }
      for (int i = 0; i < kRows; ++i) {
        for (int p = 0; p < kPanels; ++p)
          dot[p][i] = hn::Add(dot[p][i], dot_pairs(twos[p][i], hn::Set(PanelPairs(), 1)));
      }
    }
  }
}

// Float sums that stay in memory: one of a row of x += its integer product, scaled.
HWY_INLINE void add_scaled(WordVector dot, const float* panel_scale, FloatVector x_scale,
                           float* sum) {
  const PanelFloats d;
  const auto scaled = hn::Mul(hn::ConvertTo(d, dot), hn::Load(d, panel_scale));
  hn::Store(hn::MulAdd(scaled, x_scale, hn::Load(d, sum)), d, sum);
}

// And what block j of the panels adds to each element, times the sum of each row's rounded values,
// which follow its scales.
template <int kRows, int kPanels>
HWY_INLINE void add_shifts(const Panel* panels, int j, const uint8_t* scales, float* sums,
                           int64_t sum_stride) {
  const PanelFloats d;
  for (int i = 0; i < kRows; ++i) {
    const FloatVector total = all_floats_at(scales, kRows + i);
    for (int p = 0; p < kPanels; ++p) {
      float* sum = sums + i * sum_stride + p * kPanel;
      hn::Store(hn::MulAdd(hn::Load(d, panels[p].shift[j]), total, hn::Load(d, sum)), d, sum);
    }
  }
}

// Where the float sums of a tile are: element [row][panel * kPanel + lane].
struct Sums {
  float* data;
  int64_t stride;
  bool fresh;  // they begin at zero, whatever is there
};

// Without byte dots.
template <class T, int kRows, int kPanels>
HWY_NOINLINE void multiply_pairs(const uint8_t* HWY_RESTRICT x, const Panel* panels, int blocks,
                                 Sums place) {
  float* HWY_RESTRICT sums = place.data;
  const int64_t sum_stride = place.stride;
  if (place.fresh) {
    for (int i = 0; i < kRows; ++i) {
      for (int p = 0; p < kPanels; ++p)
        hn::Store(hn::Zero(PanelFloats()), PanelFloats(), sums + i * sum_stride + p * kPanel);
    }
  }
  for (int j = 0; j < blocks; ++j, x += kRows * tile_row_bytes(T())) {
    const uint8_t* start = x + kRows * code_bytes(T());
    const uint8_t* scales = start + 4 * T::kRuns * kRows;
    for (int run = 0; run < T::kRuns; ++run) {
      WordVector dot[kPanels][kRows];
      for (int p = 0; p < kPanels; ++p) {
        for (int i = 0; i < kRows; ++i) {
          dot[p][i] = T::kOffset == 0 ? hn::Zero(PanelWords()) : all_at(start, run * kRows + i);
        }
      }
      multiply_run<T, kRows, kPanels>(x, panels, j, run, dot);
      for (int i = 0; i < kRows; ++i) {
        const FloatVector scale = all_floats_at(scales, i);
        for (int p = 0; p < kPanels; ++p) {
          add_scaled(dot[p][i], panels[p].scale[j][run], scale, sums + i * sum_stride + p * kPanel);
        }
      }
    }
    if constexpr (T::kShifted) add_shifts<kRows, kPanels>(panels, j, scales, sums, sum_stride);
  }
}

#if HWY_TARGET == HWY_AVX3_DL
// sum + codes . x by fours, for unsigned codes. As assembly, because Highway 1.0 compiles this
// target without the intrinsic's feature. These stay in the order in which they are written.
HWY_INLINE WordVector dot_fours(ByteVector codes, WordVector x, WordVector sum) {
  asm volatile("vpdpbusd %2, %1, %0" : "+v"(sum.raw) : "v"(codes.raw), "v"(x.raw));
  return sum;
}

// The same with four bytes of x for every lane.
HWY_INLINE WordVector dot_fours(ByteVector codes, const uint8_t* x_fours, WordVector sum) {
  asm("vpdpbusd %2%{1to16%}, %1, %0"
      : "+v"(sum.raw)
      : "v"(codes.raw), "m"(*reinterpret_cast<const uint8_t(*)[4]>(x_fours)));
  return sum;
}

// With byte dots, one panel: its codes and the float sums are in registers.
template <class T, int kRows>
HWY_NOINLINE void multiply_fours(const uint8_t* HWY_RESTRICT x, const Panel& panel, int blocks,
                                 Sums sums) {
  const PanelFloats d;
  constexpr int kPerRun = kFours / T::kRuns;
  constexpr int kGroup = HWY_MIN(kRows, 4);
  FloatVector sum[kRows];
  HWY_UNROLL(16)
  for (int i = 0; i < kRows; ++i)
    sum[i] = sums.fresh ? hn::Zero(d) : hn::Load(d, sums.data + i * sums.stride);
  for (int j = 0; j < blocks; ++j, x += kRows * tile_row_bytes(T())) {
    const uint8_t* start = x + kRows * kBlock;
    const uint8_t* scales = start + 4 * T::kRuns * kRows;
    ByteVector codes[kFours];
    if constexpr (T::kStreamed) {
      WordVector words[kFours];
      T::codes(Chunk<T::kType>(panel.stored, blocks), j, words);
      for (int g = 0; g < kFours; ++g) codes[g] = hn::BitCast(PanelBytes(), words[g]);
      for (int64_t line = 0; line < panel.lines; ++line)
        hwy::Prefetch(panel.wanted + (j * panel.lines + line) * 64);
    } else {
      for (int g = 0; g < kFours; ++g) codes[g] = hn::Load(PanelBytes(), panel.codes[j][g]);
    }
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
        for (int i = 0; i < kGroup; ++i) {
          const auto scaled = hn::Mul(hn::ConvertTo(d, dot[i]), hn::Load(d, panel.scale[j][run]));
          sum[first + i] = hn::MulAdd(scaled, all_floats_at(scales, first + i), sum[first + i]);
        }
      }
    }
    if constexpr (T::kShifted) {
      const auto shift = hn::Load(d, panel.shift[j]);
      for (int i = 0; i < kRows; ++i)
        sum[i] = hn::MulAdd(shift, all_floats_at(scales, kRows + i), sum[i]);
    }
  }
  HWY_UNROLL(16)
  for (int i = 0; i < kRows; ++i) hn::Store(sum[i], d, sums.data + i * sums.stride);
}

// With byte dots, two panels: rows [first, first + kGroup) of a tile of kRows. Each broadcast of x
// serves two products.
template <class T, int kRows, int kGroup>
HWY_INLINE void multiply_group(const uint8_t* HWY_RESTRICT x, int first, const Panel* panels,
                               int blocks, Sums sums) {
  const PanelFloats d;
  constexpr int kPerRun = kFours / T::kRuns;
  FloatVector sum[kGroup][2];
  HWY_UNROLL(6)
  for (int i = 0; i < kGroup; ++i) {
    const float* from = sums.data + (first + i) * sums.stride;
    sum[i][0] = sums.fresh ? hn::Zero(d) : hn::Load(d, from);
    sum[i][1] = sums.fresh ? hn::Zero(d) : hn::Load(d, from + kPanel);
  }
  for (int j = 0; j < blocks; ++j, x += kRows * tile_row_bytes(T())) {
    const uint8_t* codes = x + first * kBlock;
    const uint8_t* start = x + kRows * kBlock;
    const uint8_t* scales = start + 4 * T::kRuns * kRows;
    HWY_UNROLL(2)
    for (int run = 0; run < T::kRuns; ++run) {
      WordVector dot[kGroup][2];
      HWY_UNROLL(6)
      for (int i = 0; i < kGroup; ++i)
        dot[i][0] = dot[i][1] = all_at(start, run * kRows + first + i);
      HWY_UNROLL(8)
      for (int g = run * kPerRun; g < (run + 1) * kPerRun; ++g) {
        const auto left = hn::Load(PanelBytes(), panels[0].codes[j][g]);
        const auto right = hn::Load(PanelBytes(), panels[1].codes[j][g]);
        HWY_UNROLL(6)
        for (int i = 0; i < kGroup; ++i) {
          const WordVector xs = all_at(codes + i * kBlock, g);
          dot[i][0] = dot_fours(left, xs, dot[i][0]);
          dot[i][1] = dot_fours(right, xs, dot[i][1]);
        }
      }
      HWY_UNROLL(6)
      for (int i = 0; i < kGroup; ++i) {
        const FloatVector scale = all_floats_at(scales, first + i);
        for (int p = 0; p < 2; ++p) {
          const auto scaled =
              hn::Mul(hn::ConvertTo(d, dot[i][p]), hn::Load(d, panels[p].scale[j][run]));
          sum[i][p] = hn::MulAdd(scaled, scale, sum[i][p]);
        }
      }
    }
    if constexpr (T::kShifted) {
      HWY_UNROLL(6)
      for (int i = 0; i < kGroup; ++i) {
        const FloatVector total = all_floats_at(scales, kRows + first + i);
        for (int p = 0; p < 2; ++p)
          sum[i][p] = hn::MulAdd(hn::Load(d, panels[p].shift[j]), total, sum[i][p]);
      }
    }
  }
  HWY_UNROLL(6)
  for (int i = 0; i < kGroup; ++i) {
    float* to = sums.data + (first + i) * sums.stride;
    hn::Store(sum[i][0], d, to);
    hn::Store(sum[i][1], d, to + kPanel);
  }
}

// With byte dots, two panels. Zen 5 starts two byte products a cycle, and float products in the
// same two places: a block's two of them for each of its eight byte products leave 80 % of the
// peak, so that nothing else may take any. Float sums stay in registers, because storing whole
// vectors delayed the products; what is left of 32 holds ten or twelve chains of integer sums:
// eight hide a product's latency only where none is ever late. Of 1,080 GOP/s a core 860 are
// reached from L1 (sums in memory 800, eight chains 820).
template <class T, int kRows>
HWY_NOINLINE void multiply_fours_twice(const uint8_t* x, const Panel* panels, int blocks,
                                       Sums sums) {
  if constexpr (kRows == 16) {
    multiply_group<T, kRows, 6>(x, 0, panels, blocks, sums);
    multiply_group<T, kRows, 5>(x, 6, panels, blocks, sums);
    multiply_group<T, kRows, 5>(x, 11, panels, blocks, sums);
  } else {
    constexpr int kGroup = HWY_MIN(kRows, 4);
    for (int first = 0; first < kRows; first += kGroup)
      multiply_group<T, kRows, kGroup>(x, first, panels, blocks, sums);
  }
}
#endif

// Sums of row i += `blocks` blocks of row i of a tile of x, from where `x` points, times each row
// of the panels.
template <class T, int kRows>
HWY_INLINE void multiply_rows(const uint8_t* x, const Panel* panels, int panel_count, int blocks,
                              Sums sums) {
#if HWY_TARGET == HWY_AVX3_DL
  if constexpr (!T::kStreamed) {
    if (panel_count == 2) return multiply_fours_twice<T, kRows>(x, panels, blocks, sums);
  }
  multiply_fours<T, kRows>(x, panels[0], blocks, sums);
#else
  if (panel_count == 2) return multiply_pairs<T, kRows, 2>(x, panels, blocks, sums);
  multiply_pairs<T, kRows, 1>(x, panels, blocks, sums);
#endif
}

template <class T>
HWY_INLINE void multiply_tile(int rows, const uint8_t* x, const Panel* panels, int panel_count,
                              int blocks, Sums sums) {
  switch (rows) {
    case 1:
      return multiply_rows<T, 1>(x, panels, panel_count, blocks, sums);
    case 2:
      return multiply_rows<T, 2>(x, panels, panel_count, blocks, sums);
    case 4:
      return multiply_rows<T, 4>(x, panels, panel_count, blocks, sums);
    case 8:
      if constexpr (kTile >= 8) return multiply_rows<T, 8>(x, panels, panel_count, blocks, sums);
      break;
    case 16:
      if constexpr (kTile >= 16) return multiply_rows<T, 16>(x, panels, panel_count, blocks, sums);
      break;
    default:
      break;
  }
  PLINTH_CHECK(false, "a tile of {} rows", rows);
}

#undef PLINTH_PAIRS

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#endif  // HWY_TARGET != HWY_SCALAR

#endif
