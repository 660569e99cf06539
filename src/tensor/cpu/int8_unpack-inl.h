// How each quantised type becomes a panel of codes, scales and shifts. Included once per Highway
// target.
#if defined(PLINTH_TENSOR_CPU_INT8_UNPACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PLINTH_TENSOR_CPU_INT8_UNPACK_INL_H_
#undef PLINTH_TENSOR_CPU_INT8_UNPACK_INL_H_
#else
#define PLINTH_TENSOR_CPU_INT8_UNPACK_INL_H_
#endif

#include <hwy/highway.h>

#include "core/check.h"
#include "tensor/cpu/int8_panel-inl.h"

#if HWY_TARGET != HWY_SCALAR

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

// What is said of a type:
//   kSigned   the codes are signed bytes, which stay where they are stored
//   kStreamed so do all codes: a block's are unpacked into registers
//   kWide     the codes are words of 16 bits: 0 and 2 of every four, then 1 and 3. They are signed,
//             and two products of signed bytes would not fit 16 bits
//   kCodeMax  the largest magnitude of a code, where byte dots don't raise it
//   kOffset   an element is (code - kOffset) * scale
//   kRuns     scales per block: one for 32 elements, or two for 16 each
//   kShifted  `shift` is added to every element
// scales() fills in the panel's scales and shifts, codes() gives the codes of block j.
template <DType kType>
struct Unpacked;

template <DType kStored>
struct UnpackedPlain {
  static constexpr DType kType = kStored;
  static constexpr bool kSigned = false;
  static constexpr bool kStreamed = false;
  static constexpr bool kWide = false;
  static constexpr int kCodeMax = 15;
  static constexpr int kOffset = 0;
  static constexpr int kRuns = 1;
  static constexpr bool kShifted = false;

  static HWY_INLINE void scales(const Chunk<kType>& chunk, Panel& panel) {
    for (int j = 0; j < chunk.n; ++j) {
      hn::Store(chunk.half(j, 0), PanelFloats(), panel.scale[j][0]);
      if constexpr (Chunk<kType>::kFields.halves == 2)
        hn::Store(chunk.half(j, 1), PanelFloats(), panel.shift[j]);
    }
  }
};

// Four words of nibbles, low then high.
template <DType kType>
HWY_INLINE void nibbles(const Chunk<kType>& chunk, int j, WordVector codes[kFours]) {
  for (int g = 0; g < 4; ++g) {
    const WordVector word = chunk.word(j, g);
    codes[g] = low_nibbles(word);
    codes[4 + g] = high_nibbles(word);
  }
}

// The same after a word of fifth bits.
template <DType kType>
HWY_INLINE void fives(const Chunk<kType>& chunk, int j, WordVector codes[kFours]) {
  const WordVector fifth = chunk.word(j, 0);
  for (int g = 0; g < 4; ++g) {
    const WordVector word = chunk.word(j, 1 + g);
    codes[g] = hn::Or(low_nibbles(word), fifths(fifth, g));
    codes[4 + g] = hn::Or(high_nibbles(word), fifths(fifth, 4 + g));
  }
}

template <>
struct Unpacked<DType::kQ8_0> : UnpackedPlain<DType::kQ8_0> {
  static constexpr bool kWide = !kByteDots;
  static constexpr int kCodeMax = 128;
  static constexpr int kOffset = kByteDots ? 128 : 0;

  static HWY_INLINE void codes(const Chunk<kType>& chunk, int j, WordVector out[kFours]) {
    const WordVector flip = all(kByteDots ? static_cast<int32_t>(0x80808080u) : 0);
    for (int g = 0; g < kFours; ++g) out[g] = hn::Xor(chunk.word(j, g), flip);
  }
};

// Q8_0 for so few rows of x that widening the codes costs more than their signs do.
struct UnpackedSigned : UnpackedPlain<DType::kQ8_0> {
  static constexpr bool kSigned = true;
  static constexpr int kCodeMax = 128;
};

template <>
struct Unpacked<DType::kQ4_0> : UnpackedPlain<DType::kQ4_0> {
  static constexpr int kOffset = 8;

  static HWY_INLINE void codes(const Chunk<kType>& chunk, int j, WordVector out[kFours]) {
    nibbles(chunk, j, out);
  }
};

template <>
struct Unpacked<DType::kQ4_1> : UnpackedPlain<DType::kQ4_1> {
  static constexpr bool kShifted = true;

  static HWY_INLINE void codes(const Chunk<kType>& chunk, int j, WordVector out[kFours]) {
    nibbles(chunk, j, out);
  }
};

template <>
struct Unpacked<DType::kQ5_0> : UnpackedPlain<DType::kQ5_0> {
  static constexpr int kCodeMax = 31;
  static constexpr int kOffset = 16;

  static HWY_INLINE void codes(const Chunk<kType>& chunk, int j, WordVector out[kFours]) {
    fives(chunk, j, out);
  }
};

template <>
struct Unpacked<DType::kQ5_1> : UnpackedPlain<DType::kQ5_1> {
  static constexpr int kCodeMax = 31;
  static constexpr bool kShifted = true;

  static HWY_INLINE void codes(const Chunk<kType>& chunk, int j, WordVector out[kFours]) {
    fives(chunk, j, out);
  }
};

// The header that Q4_K and Q5_K share: d and m, then three words of six-bit scales and minima. The
// same arithmetic as unpack_six_bits.
template <DType kType>
HWY_INLINE void unpack_header(const Chunk<kType>& chunk, Panel& panel) {
  const WordVector head[3] = {chunk.word(0, 0), chunk.word(0, 1), chunk.word(0, 2)};
  const auto low = all(0x3f3f3f3f);
  const auto top = all(0x30303030);
  const WordVector scale[2] = {
      hn::And(head[0], low),
      hn::Or(low_nibbles(head[2]), hn::And(hn::ShiftRight<2>(head[0]), top))};
  const WordVector minimum[2] = {
      hn::And(head[1], low),
      hn::Or(high_nibbles(head[2]), hn::And(hn::ShiftRight<2>(head[1]), top))};
  const FloatVector d = chunk.half(0, 0);
  const FloatVector m = hn::Neg(chunk.half(0, 1));
  for (int j = 0; j < kChunk; ++j) {
    hn::Store(scale_at<uint8_t>(scale, j, d), PanelFloats(), panel.scale[j][0]);
    hn::Store(scale_at<uint8_t>(minimum, j, m), PanelFloats(), panel.shift[j]);
  }
}

template <>
struct Unpacked<DType::kQ4_K> : UnpackedPlain<DType::kQ4_K> {
  static constexpr bool kShifted = true;

  static HWY_INLINE void scales(const Chunk<kType>& chunk, Panel& panel) {
    unpack_header(chunk, panel);
  }

  static HWY_INLINE void codes(const Chunk<kType>& chunk, int j, WordVector out[kFours]) {
    for (int g = 0; g < kFours; ++g) {
      const WordVector word = chunk.word(0, 3 + kFours * (j / 2) + g);
      out[g] = j % 2 == 0 ? low_nibbles(word) : high_nibbles(word);
    }
  }
};

template <>
struct Unpacked<DType::kQ5_K> : UnpackedPlain<DType::kQ5_K> {
  static constexpr int kCodeMax = 31;
  static constexpr bool kShifted = true;

  static HWY_INLINE void scales(const Chunk<kType>& chunk, Panel& panel) {
    unpack_header(chunk, panel);
  }

  // Bit j of a byte of the fifth bits belongs to block j.
  static HWY_INLINE void codes(const Chunk<kType>& chunk, int j, WordVector out[kFours]) {
    for (int g = 0; g < kFours; ++g) {
      const WordVector fifth =
          hn::And(hn::ShiftRightSame(chunk.word(0, 3 + g), j), all(0x01010101));
      const WordVector word = chunk.word(0, 3 + kFours * (1 + j / 2) + g);
      const WordVector four = j % 2 == 0 ? low_nibbles(word) : high_nibbles(word);
      out[g] = hn::Or(four, hn::ShiftLeft<4>(fifth));
    }
  }
};

template <>
struct Unpacked<DType::kQ6_K> : UnpackedPlain<DType::kQ6_K> {
  static constexpr int kCodeMax = 63;
  static constexpr int kOffset = 32;
  static constexpr int kRuns = 2;

  static HWY_INLINE void scales(const Chunk<kType>& chunk, Panel& panel) {
    constexpr int kScales = 192 / 4;  // words before
    const FloatVector d = chunk.half(0, 0);
    const WordVector scales[4] = {chunk.word(0, kScales), chunk.word(0, kScales + 1),
                                  chunk.word(0, kScales + 2), chunk.word(0, kScales + 3)};
    for (int run = 0; run < 2 * kChunk; ++run)
      hn::Store(scale_at<int8_t>(scales, run, d), PanelFloats(), panel.scale[run / 2][run % 2]);
  }

  // See BlockQ6_K: of each half's four blocks two share words of nibbles, all share one of high
  // bits.
  static HWY_INLINE void codes(const Chunk<kType>& chunk, int j, WordVector out[kFours]) {
    constexpr int kHigh = 128 / 4;  // words before
    const int half = j / 4;
    const int quarter = j % 4;
    for (int g = 0; g < kFours; ++g) {
      const WordVector word = chunk.word(0, 16 * half + kFours * (quarter % 2) + g);
      const WordVector high = chunk.word(0, kHigh + kFours * half + g);
      const WordVector two = hn::And(hn::ShiftRightSame(high, 2 * quarter), all(0x03030303));
      out[g] = hn::Or(quarter < 2 ? low_nibbles(word) : high_nibbles(word), hn::ShiftLeft<4>(two));
    }
  }
};

// With byte dots, for rows of x that one pass takes: unpacked codes would be written and read once,
// and meanwhile nothing is multiplied.
template <DType kType>
struct Streamed : Unpacked<kType> {
  static constexpr bool kStreamed = true;
};

// A chunk as T's products read it. kLess, which is 0 or kOffset, is taken from every code: by
// kOffset they are centred.
template <class T, int kLess>
HWY_INLINE void unpack(const Chunk<T::kType>& chunk, Panel& panel) {
  T::scales(chunk, panel);
  if constexpr (T::kSigned) {
    panel.stored = chunk.words;
  } else if constexpr (T::kStreamed) {
    panel.stored = chunk.halves;
  } else {
    const int blocks = chunk.n * static_cast<int>(traits(T::kType).block / kBlock);
    for (int j = 0; j < blocks; ++j) {
      WordVector codes[kFours];
      T::codes(chunk, j, codes);
      for (int g = 0; g < kFours; ++g) {
        if constexpr (T::kWide)
          store_wide(codes[g], panel.codes[j][2 * g], panel.codes[j][2 * g + 1]);
        else
          store_codes<kLess>(codes[g], panel.codes[j][g]);
      }
    }
  }
}

// body(Unpacked<type>()): the one place where a type is chosen at run time.
template <class Body>
HWY_INLINE void with_unpacked(DType type, const Body& body) {
  switch (type) {
    case DType::kQ8_0:
      return body(Unpacked<DType::kQ8_0>());
    case DType::kQ4_0:
      return body(Unpacked<DType::kQ4_0>());
    case DType::kQ5_0:
      return body(Unpacked<DType::kQ5_0>());
    case DType::kQ4_1:
      return body(Unpacked<DType::kQ4_1>());
    case DType::kQ5_1:
      return body(Unpacked<DType::kQ5_1>());
    case DType::kQ4_K:
      return body(Unpacked<DType::kQ4_K>());
    case DType::kQ5_K:
      return body(Unpacked<DType::kQ5_K>());
    case DType::kQ6_K:
      return body(Unpacked<DType::kQ6_K>());
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
      break;
  }
  PLINTH_CHECK(false, "element type {} has no blocks", static_cast<int>(type));
}

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#endif  // HWY_TARGET != HWY_SCALAR

#endif
