#include "tensor/cpu/int8_dot.h"

#define PLINTH_SIMD_INT8
#include "tensor/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/cpu/int8_dot.cpp"

#include <algorithm>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tensor/cpu/blocks-inl.h"
#include "tensor/cpu/decode-inl.h"
#include "tensor/cpu/parallel.h"

#ifndef PLINTH_TENSOR_CPU_INT8_DOT_ONCE_
#define PLINTH_TENSOR_CPU_INT8_DOT_ONCE_

namespace plinth::tensor::cpu {

// One row of x, rounded: block b of 32 is scale[b] * codes. `start` is what a sum of products of
// stored codes begins with, so that codes above zero count as code - offset.
struct Rounded {
  int8_t* codes;   // [k]
  int32_t* start;  // [k / 4]: -offset * (sum of four codes), in the lanes of dot_bytes
  float* scale;    // [k / 32]
  float* sum;      // [k / 32]: of the block's rounded values

  static int64_t floats(int64_t k) { return k / 2 + k / 16; }

  static Rounded at(float* memory, int64_t k) {
    return {reinterpret_cast<int8_t*>(memory), reinterpret_cast<int32_t*>(memory + k / 4),
            memory + k / 2, memory + k / 2 + k / kBlock};
  }
};

}  // namespace plinth::tensor::cpu
#endif

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

// Without bytes side by side integers gain nothing: plain products with the decoded row.
void round_row(const float*, int64_t, DType, float*) {}

void int8_rows(ConstMatrix x, float*, const Weight& w, Matrix y, bool add, int64_t begin,
               int64_t end) {
  Buffer row(w.cols);
  const auto* bytes = static_cast<const uint8_t*>(w.data);
  for (int64_t n = begin; n < end; ++n) {
    decode(bytes + row_bytes(w.type, w.cols) * n, w.type, 0, w.cols, row.data());
    for (int64_t i = 0; i < x.rows; ++i) {
      float total = 0;
      for (int64_t k = 0; k < w.cols; ++k) total += x.row(i)[k] * row.data()[k];
      y.row(i)[n] = add ? y.row(i)[n] + total : total;
    }
  }
}

#else

using ByteVector = hn::Vec<Bytes>;
using SignedVector = hn::Vec<SignedBytes>;
using WordVector = hn::Vec<Words>;
using FloatVector = hn::Vec<Floats>;

#if HWY_TARGET == HWY_AVX3_DL
inline constexpr bool kByteDots = true;
#else
inline constexpr bool kByteDots = false;
#endif

// sum + codes . x by groups of four (in an order of this function's own, the same on each call).
// Highway 1.0 has no product of bytes, and going through 16 bits in its words costs four times the
// instructions. Without VNNI |codes| <= 128 and pairs of products must fit 16 bits: 2 * 127 * 128
// does.
HWY_INLINE WordVector dot_bytes(ByteVector codes, SignedVector x, WordVector sum) {
#if HWY_TARGET == HWY_AVX3_DL
  // As assembly, because Highway compiles this target for AVX-VNNI, whose encoding of the same
  // instruction some processors with AVX-512 VNNI lack.
  asm("%{evex%} vpdpbusd %2, %1, %0" : "+v"(sum.raw) : "v"(codes.raw), "vm"(x.raw));
  return sum;
#elif HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  const __m256i pairs = _mm256_maddubs_epi16(codes.raw, x.raw);
  return hn::Add(sum, WordVector{_mm256_madd_epi16(pairs, _mm256_set1_epi16(1))});
#elif HWY_TARGET == HWY_SSE4
  const __m128i pairs = _mm_maddubs_epi16(codes.raw, x.raw);
  return hn::Add(sum, WordVector{_mm_madd_epi16(pairs, _mm_set1_epi16(1))});
#else
  const hn::Repartition<int16_t, Bytes> d;
  const hn::Half<Bytes> half;
  const hn::Half<SignedBytes> signed_half;
  WordVector rest = hn::Zero(Words());
  sum = hn::ReorderWidenMulAccumulate(Words(), hn::PromoteTo(d, hn::LowerHalf(half, codes)),
                                      hn::PromoteTo(d, hn::LowerHalf(signed_half, x)), sum, rest);
  sum = hn::ReorderWidenMulAccumulate(Words(), hn::PromoteTo(d, hn::UpperHalf(half, codes)),
                                      hn::PromoteTo(d, hn::UpperHalf(signed_half, x)), sum, rest);
  return hn::Add(sum, rest);
#endif
}

// The same for signed codes. With VNNI they are raised by 128, which `start` takes back.
HWY_INLINE WordVector dot_signed(ByteVector codes, SignedVector x, WordVector sum) {
#if HWY_TARGET == HWY_AVX3_DL
  return dot_bytes(hn::Xor(codes, hn::Set(Bytes(), 0x80)), x, sum);
#elif HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  const __m256i turned = _mm256_sign_epi8(x.raw, codes.raw);
  return dot_bytes(ByteVector{_mm256_abs_epi8(codes.raw)}, SignedVector{turned}, sum);
#elif HWY_TARGET == HWY_SSE4
  const __m128i turned = _mm_sign_epi8(x.raw, codes.raw);
  return dot_bytes(ByteVector{_mm_abs_epi8(codes.raw)}, SignedVector{turned}, sum);
#else
  const hn::Repartition<int16_t, Bytes> d;
  const hn::Half<SignedBytes> half;
  const auto w = hn::BitCast(SignedBytes(), codes);
  WordVector rest = hn::Zero(Words());
  sum = hn::ReorderWidenMulAccumulate(Words(), hn::PromoteTo(d, hn::LowerHalf(half, w)),
                                      hn::PromoteTo(d, hn::LowerHalf(half, x)), sum, rest);
  sum = hn::ReorderWidenMulAccumulate(Words(), hn::PromoteTo(d, hn::UpperHalf(half, w)),
                                      hn::PromoteTo(d, hn::UpperHalf(half, x)), sum, rest);
  return hn::Add(sum, rest);
#endif
}

// What a type's unsigned codes are too high by here.
template <class P>
constexpr int offset_of(P) {
  return P::kSigned ? (kByteDots ? 128 : 0) : P::kOffset;
}

// Fills Rounded::at(memory). The largest value of a block becomes 127 steps; a block whose largest
// is below 1e-30 counts as zero, and one with a value that is not finite gets a scale of NaN.
void round_row(const float* x, int64_t k, DType type, float* memory) {
  const Rounded out = Rounded::at(memory, k);
  const Floats df;
  const Words dw;
  const hn::Rebind<int8_t, Words> small;
  int offset = 0;
  with_packed(type, [&](auto packed) HWY_ATTR { offset = offset_of(packed); });
  for (int64_t at = 0; at < k; at += kBlock) {
    FloatVector peaks = hn::Zero(df);
    FloatVector poison = hn::Zero(df);
    for (int i = 0; i < kBlock; i += kWordLanes) {
      const FloatVector v = hn::LoadU(df, x + at + i);
      peaks = hn::Max(peaks, hn::Abs(v));
      poison = hn::MulAdd(v, hn::Zero(df), poison);
    }
    const float peak = hn::GetLane(hn::MaxOfLanes(df, peaks));
    const float inverse = peak >= 1e-30f ? 127.0f / peak : 0.0f;
    for (int i = 0; i < kBlock; i += kWordLanes) {
      const FloatVector v = hn::Mul(hn::LoadU(df, x + at + i), hn::Set(df, inverse));
      hn::StoreU(hn::DemoteTo(small, hn::NearestInt(v)), small, out.codes + at + i);
    }
    WordVector total = hn::Zero(dw);
    for (int p = 0; p < kParts; ++p) {
      const auto codes = hn::LoadU(SignedBytes(), out.codes + at + p * kByteLanes);
      const WordVector fours = dot_bytes(hn::Set(Bytes(), 1), codes, hn::Zero(dw));
      hn::StoreU(hn::Mul(fours, hn::Set(dw, -offset)), dw, out.start + at / 4 + p * kWordLanes);
      total = hn::Add(total, fours);
    }
    const float scale =
        (peak >= 1e-30f ? peak / 127.0f : 0.0f) + hn::GetLane(hn::SumOfLanes(df, poison));
    out.scale[at / kBlock] = scale;
    out.sum[at / kBlock] = scale * static_cast<float>(hn::GetLane(hn::SumOfLanes(dw, total)));
  }
}

// sum + one block of 32: `scale` has the block's one or two.
template <class P>
HWY_INLINE FloatVector add_block(const ByteVector codes[kParts], const Rounded& x, int64_t block,
                                 const float* scale, FloatVector sum) {
  const Floats d;
  WordVector dot[kParts];
  for (int p = 0; p < kParts; ++p) {
    const auto xs = hn::LoadU(SignedBytes(), x.codes + block * kBlock + p * kByteLanes);
    const auto start = offset_of(P()) == 0
                           ? hn::Zero(Words())
                           : hn::LoadU(Words(), x.start + block * (kBlock / 4) + p * kWordLanes);
    dot[p] = P::kSigned ? dot_signed(codes[p], xs, start) : dot_bytes(codes[p], xs, start);
  }
  const FloatVector step = hn::Set(d, x.scale[block]);
  if constexpr (P::kRuns == 1) {
    if constexpr (kParts == 2) dot[0] = hn::Add(dot[0], dot[1]);
    return hn::MulAdd(hn::ConvertTo(d, dot[0]), hn::Mul(hn::Set(d, scale[0]), step), sum);
  } else if constexpr (kParts == 1) {
    const auto runs = hn::ConcatLowerLower(d, hn::Set(d, scale[1]), hn::Set(d, scale[0]));
    return hn::MulAdd(hn::ConvertTo(d, dot[0]), hn::Mul(runs, step), sum);
  } else {
    sum = hn::MulAdd(hn::ConvertTo(d, dot[0]), hn::Mul(hn::Set(d, scale[0]), step), sum);
    return hn::MulAdd(hn::ConvertTo(d, dot[1]), hn::Mul(hn::Set(d, scale[1]), step), sum);
  }
}

// out[i * out_stride + r] (+)= x row i . w row r, for r < w_rows <= kW.
//
// kW rows of the weight are as many streams for the memory prefetchers; the sums of kW * kX, at
// most 8, stay in registers beside the codes of one block.
template <class P, int kX, int kW>
HWY_NOINLINE void int8_tile(const Rounded* x, const uint8_t* const* w, int64_t k, float* out,
                            int64_t out_stride, int64_t w_rows, bool add) {
  const Floats d;
  FloatVector sum[kW][kX];
  float shifted[kW][kX] = {};
  for (int r = 0; r < kW; ++r) {
    for (int i = 0; i < kX; ++i) sum[r][i] = hn::Zero(d);
  }
  HWY_ALIGN float scale[P::kBlocks * P::kRuns];
  HWY_ALIGN float shift[P::kBlocks];
  int64_t at = 0;
  for (int64_t block = 0; block < k / kBlock; block += P::kBlocks, at += unit_bytes(P())) {
    HWY_UNROLL(4)
    for (int r = 0; r < kW; ++r) {
      const uint8_t* unit = w[r] + at;
      P::scales(unit, scale, shift);
      HWY_UNROLL(8)
      for (int j = 0; j < P::kBlocks; ++j) {
        ByteVector codes[kParts];
        P::codes(Bytes(), unit, j, codes);
        HWY_UNROLL(4)
        for (int i = 0; i < kX; ++i)
          sum[r][i] = add_block<P>(codes, x[i], block + j, scale + j * P::kRuns, sum[r][i]);
      }
      if constexpr (P::kShifted && P::kBlocks == 1) {
        for (int i = 0; i < kX; ++i) shifted[r][i] += shift[0] * x[i].sum[block];
      } else if constexpr (P::kShifted) {
        for (int i = 0; i < kX; ++i) {
          for (int j = 0; j < P::kBlocks; j += kWordLanes)
            sum[r][i] =
                hn::MulAdd(hn::Load(d, shift + j), hn::LoadU(d, x[i].sum + block + j), sum[r][i]);
        }
      }
    }
  }
  for (int64_t r = 0; r < w_rows; ++r) {
    for (int i = 0; i < kX; ++i) {
      const float total = hn::GetLane(hn::SumOfLanes(d, sum[r][i])) + shifted[r][i];
      float& y = out[i * out_stride + r];
      y = add ? y + total : total;
    }
  }
}

// x_rows rows of x, a multiple of kX, against the weight's rows [begin, end): kW of them at a time,
// so that they are still in L1 for the next kX rows of x.
template <class P, int kX, int kW>
HWY_INLINE void int8_tiles(float* rounded, int64_t x_rows, const Weight& w, Matrix y, bool add,
                           int64_t begin, int64_t end) {
  const int64_t row = static_cast<int64_t>(row_bytes(w.type, w.cols));
  const auto* base = static_cast<const uint8_t*>(w.data);
  for (int64_t n = begin; n < end; n += kW) {
    const int64_t w_rows = std::min<int64_t>(kW, end - n);
    const uint8_t* rows[kW];
    for (int r = 0; r < kW; ++r) rows[r] = base + row * (n + std::min<int64_t>(r, w_rows - 1));
    for (int64_t first = 0; first < x_rows; first += kX) {
      Rounded x[kX];
      for (int i = 0; i < kX; ++i)
        x[i] = Rounded::at(rounded + (first + i) * Rounded::floats(w.cols), w.cols);
      int8_tile<P, kX, kW>(x, rows, w.cols, y.row(first) + n, y.stride, w_rows, add);
    }
  }
}

// y[:, begin..end) for the weight's rows [begin, end).
void int8_rows(ConstMatrix x, float* rounded, const Weight& w, Matrix y, bool add, int64_t begin,
               int64_t end) {
  with_packed(w.type, [&](auto packed) HWY_ATTR {
    using P = decltype(packed);
    int64_t done = 0;
    const auto rest = [&] { return y.slice(done, x.rows - done); };
    const auto from = [&] { return rounded + done * Rounded::floats(w.cols); };
    if (const int64_t fours = x.rows / 4 * 4; fours > 0) {
      int8_tiles<P, 4, 2>(from(), fours, w, rest(), add, begin, end);
      done = fours;
    }
    if (x.rows - done >= 2) {
      int8_tiles<P, 2, 4>(from(), 2, w, rest(), add, begin, end);
      done += 2;
    }
    if (x.rows > done) int8_tiles<P, 1, 4>(from(), 1, w, rest(), add, begin, end);
  });
}

#endif

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace plinth::tensor::cpu {
namespace {

HWY_EXPORT(round_row);
HWY_EXPORT(int8_rows);

}  // namespace

void linear_by_int8(ConstMatrix x, Weight w, Matrix y, bool accumulate) {
  if (x.rows == 0) return;
  thread_local Buffer memory;
  const int64_t stride = Rounded::floats(w.cols);
  memory.resize(x.rows * stride);
  float* rounded = memory.data();
  parallel(x.rows, row_grain(w.cols), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      HWY_DYNAMIC_DISPATCH(round_row)(x.row(r), w.cols, w.type, rounded + r * stride);
  });
  const int64_t work = std::max<int64_t>(1, w.cols * x.rows);
  const int64_t grain = std::max<int64_t>(4, (int64_t{128} * 1024 / work + 3) / 4 * 4);
  parallel(w.rows, grain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(int8_rows)(x, rounded, w, y, accumulate, begin, end);
  });
}

}  // namespace plinth::tensor::cpu
#endif
