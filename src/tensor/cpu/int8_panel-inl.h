// Interleaved blocks (quant/panels.h) unpacked to codes: the four bytes that one lane of an integer
// dot product takes, side by side for kPanel rows. Included once per Highway target.
//
// A block's sum is then whole in its lane, scales are applied to kPanel rows at once, and x is read
// as broadcasts.
#if defined(PLINTH_TENSOR_CPU_INT8_PANEL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PLINTH_TENSOR_CPU_INT8_PANEL_INL_H_
#undef PLINTH_TENSOR_CPU_INT8_PANEL_INL_H_
#else
#define PLINTH_TENSOR_CPU_INT8_PANEL_INL_H_
#endif

#include <cstdint>
#include <cstring>

#include <hwy/highway.h>

#include "core/check.h"
#include "tensor/cpu/simd-inl.h"
#include "tensor/quant/panels.h"

#if HWY_TARGET != HWY_SCALAR

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

// Products of unsigned by signed bytes, four to a lane, in one instruction and without a limit.
#if HWY_TARGET == HWY_AVX3_DL
inline constexpr bool kByteDots = true;
#else
inline constexpr bool kByteDots = false;
#endif

// Rows of a panel. AVX-512 without byte dots keeps to 256 bits: its products of bytes lack a sign.
#if HWY_TARGET == HWY_AVX3_DL
inline constexpr int kPanel = 16;
#elif HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
inline constexpr int kPanel = 8;
#else
inline constexpr int kPanel = 4;
#endif

using PanelWords = hn::FixedTag<int32_t, kPanel>;
using PanelBytes = hn::Repartition<uint8_t, PanelWords>;
using PanelPairs = hn::Repartition<int16_t, PanelWords>;
using PanelFloats = hn::FixedTag<float, kPanel>;
using WordVector = hn::Vec<PanelWords>;
using ByteVector = hn::Vec<PanelBytes>;
using FloatVector = hn::Vec<PanelFloats>;

// Blocks of 32 unpacked at a time, a whole super block: 5 KiB with AVX-512, which stay in L1 while
// all rows of x pass over them.
inline constexpr int kChunk = 8;
// Dot products of a block: each takes four codes of every row.
inline constexpr int kFours = kBlock / 4;
// Vectors of codes of a block, at most: without byte dots signed codes are words of 16 bits.
inline constexpr int kCodeVectors = kByteDots ? kFours : 2 * kFours;

struct alignas(64) Panel {
  uint8_t codes[kChunk][kCodeVectors][4 * kPanel];  // as `Unpacked` says
  float scale[kChunk][2][kPanel];
  float shift[kChunk][kPanel];
  // Codes of kSigned, in the same order; a chunk of kStreamed.
  const uint8_t* stored;
  // Of kStreamed: what to fetch meanwhile, cache lines for each block.
  const uint8_t* wanted;
  int64_t lines;
};

// A chunk of a panel: fields and words of its stored blocks, kPanel rows side by side.
template <DType kType>
struct Chunk {
  static constexpr BlockFields kFields = block_fields(kType);

  Chunk(const uint8_t* bytes, int blocks_of_32)
      : n(kType >= DType::kQ4_K ? 1 : blocks_of_32),
        halves(bytes),
        words(bytes + n * kFields.halves * kPanel * 2) {}

  // Field i of block j as floats.
  HWY_INLINE FloatVector half(int j, int i) const {
    const hn::Rebind<uint16_t, PanelFloats> du16;
    const hn::Rebind<hwy::float16_t, PanelFloats> d16;
    const hn::Repartition<uint8_t, decltype(du16)> du8;
    const auto bits = hn::LoadU(du8, halves + (j * kFields.halves + i) * kPanel * 2);
    return hn::PromoteTo(PanelFloats(), hn::BitCast(d16, bits));
  }

  HWY_INLINE WordVector word(int j, int i) const {
    return hn::BitCast(PanelWords(),
                       hn::LoadU(PanelBytes(), words + (j * kFields.words + i) * kPanel * 4));
  }

  int n;  // stored blocks
  const uint8_t* halves;
  const uint8_t* words;
};

HWY_INLINE WordVector all(int32_t bits) {
  return hn::Set(PanelWords(), bits);
}

HWY_INLINE WordVector low_nibbles(WordVector v) {
  return hn::And(v, all(0x0f0f0f0f));
}

HWY_INLINE WordVector high_nibbles(WordVector v) {
  return hn::And(hn::ShiftRight<4>(v), all(0x0f0f0f0f));
}

// Less `offset` in every byte.
template <int offset>
HWY_INLINE void store_codes(WordVector v, uint8_t* out) {
  auto codes = hn::BitCast(PanelBytes(), v);
  if constexpr (offset != 0) codes = hn::Sub(codes, hn::Set(PanelBytes(), offset));
  hn::Store(codes, PanelBytes(), out);
}

// Four signed bytes of every lane as words of 16 bits: the even ones, the odd ones.
HWY_INLINE void store_wide(WordVector v, uint8_t* even, uint8_t* odd) {
  const PanelPairs d;
  const auto pairs = hn::BitCast(d, v);
  hn::Store(hn::ShiftRight<8>(hn::ShiftLeft<8>(pairs)), d, reinterpret_cast<int16_t*>(even));
  hn::Store(hn::ShiftRight<8>(pairs), d, reinterpret_cast<int16_t*>(odd));
}

// Bits [4 g, 4 g + 4) of every lane become bit 4 of its four bytes.
HWY_INLINE WordVector fifths(WordVector bits, int g) {
  const auto four = hn::And(hn::ShiftRightSame(bits, 4 * g), all(15));
  const auto spread = hn::And(hn::Mul(four, all(0x00204081)), all(0x01010101));
  return hn::ShiftLeft<4>(spread);
}

// What a scale is stored as, of type T, in byte j % 4 of four[j / 4], times a row's factor.
template <typename T>
HWY_INLINE FloatVector scale_at(const WordVector four[], int j, FloatVector factor) {
  const auto top = hn::ShiftLeftSame(four[j / 4], 24 - 8 * (j % 4));
  WordVector value;
  if constexpr (std::is_signed_v<T>) {
    value = hn::ShiftRight<24>(top);
  } else {
    const hn::Repartition<uint32_t, PanelWords> du;
    value = hn::BitCast(PanelWords(), hn::ShiftRight<24>(hn::BitCast(du, top)));
  }
  return hn::Mul(hn::ConvertTo(PanelFloats(), value), factor);
}

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#endif  // HWY_TARGET != HWY_SCALAR

#endif
