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

// How a stored type becomes a panel.
//   kSigned   the codes are signed bytes, which stay where they are stored
//   kStreamed a chunk stays where it is stored: block() unpacks one block into registers
//   kWide     the codes are words of 16 bits: 0 and 2 of every four, then 1 and 3. They are signed,
//             and two products of signed bytes would not fit 16 bits
//   kCodeMax  the largest magnitude of a code, where byte dots don't raise it
//   kOffset   an element is (code - kOffset) * scale
//   kRuns     scales per block: one for 32 elements, or two for 16 each
//   kShifted  `shift` is added to every element
// unpack<kLess>() takes kLess, which is 0 or kOffset, from every code: by kOffset they are centred.
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
};

template <DType kType>
HWY_INLINE void unpack_scales(const Chunk<kType>& chunk, Panel& panel) {
  for (int j = 0; j < chunk.n; ++j) {
    hn::Store(chunk.half(j, 0), PanelFloats(), panel.scale[j][0]);
    if constexpr (Chunk<kType>::kFields.halves == 2)
      hn::Store(chunk.half(j, 1), PanelFloats(), panel.shift[j]);
  }
}

// Four words of nibbles, low then high.
template <int kLess, DType kType>
HWY_INLINE void unpack_nibbles(const Chunk<kType>& chunk, Panel& panel) {
  for (int j = 0; j < chunk.n; ++j) {
    for (int g = 0; g < 4; ++g) {
      const WordVector word = chunk.word(j, g);
      store_codes<kLess>(low_nibbles(word), panel.codes[j][g]);
      store_codes<kLess>(high_nibbles(word), panel.codes[j][4 + g]);
    }
  }
}

// The same after a word of fifth bits.
template <int kLess, DType kType>
HWY_INLINE void unpack_fives(const Chunk<kType>& chunk, Panel& panel) {
  for (int j = 0; j < chunk.n; ++j) {
    const WordVector fifth = chunk.word(j, 0);
    for (int g = 0; g < 4; ++g) {
      const WordVector word = chunk.word(j, 1 + g);
      store_codes<kLess>(hn::Or(low_nibbles(word), fifths(fifth, g)), panel.codes[j][g]);
      store_codes<kLess>(hn::Or(high_nibbles(word), fifths(fifth, 4 + g)), panel.codes[j][4 + g]);
    }
  }
}

template <>
struct Unpacked<DType::kQ8_0> : UnpackedPlain<DType::kQ8_0> {
  static constexpr bool kWide = !kByteDots;
  static constexpr int kCodeMax = 128;
  static constexpr int kOffset = kByteDots ? 128 : 0;

  template <int kLess>
  static HWY_INLINE void unpack(const Chunk<kType>& chunk, Panel& panel) {
    unpack_scales(chunk, panel);
    constexpr int kFlip = kLess == 0 && kByteDots ? 0x80 : 0;
    const WordVector flip = all(kFlip == 0 ? 0 : static_cast<int32_t>(0x80808080u));
    for (int j = 0; j < chunk.n; ++j) {
      for (int g = 0; g < kFours; ++g) {
        const WordVector word = chunk.word(j, g);
        if constexpr (kWide)
          store_wide(word, panel.codes[j][2 * g], panel.codes[j][2 * g + 1]);
        else
          store_codes<0>(hn::Xor(word, flip), panel.codes[j][g]);
      }
    }
  }
};

// Q8_0 for so few rows of x that widening the codes costs more than their signs do.
struct UnpackedSigned : UnpackedPlain<DType::kQ8_0> {
  static constexpr bool kSigned = true;
  static constexpr int kCodeMax = 128;

  template <int kLess>
  static HWY_INLINE void unpack(const Chunk<kType>& chunk, Panel& panel) {
    unpack_scales(chunk, panel);
    panel.stored = chunk.words;
  }
};

template <>
struct Unpacked<DType::kQ4_0> : UnpackedPlain<DType::kQ4_0> {
  static constexpr int kOffset = 8;

  template <int kLess>
  static HWY_INLINE void unpack(const Chunk<kType>& chunk, Panel& panel) {
    unpack_scales(chunk, panel);
    unpack_nibbles<kLess>(chunk, panel);
  }
};

// With byte dots, for rows of x that one pass takes: unpacked codes would be written and read once,
// and meanwhile nothing is multiplied.
template <DType kType>
struct Streamed : Unpacked<kType> {
  static constexpr bool kStreamed = true;

  template <int>
  static HWY_INLINE void unpack(const Chunk<kType>& chunk, Panel& panel) {
    panel.stored = chunk.halves;
  }

  static HWY_INLINE void block(const Chunk<kType>& chunk, int j, ByteVector codes[kFours]) {
    const auto bytes = [](WordVector v) HWY_ATTR { return hn::BitCast(PanelBytes(), v); };
    if constexpr (kType == DType::kQ8_0) {
      const WordVector flip = all(static_cast<int32_t>(0x80808080u));
      for (int g = 0; g < kFours; ++g) codes[g] = bytes(hn::Xor(chunk.word(j, g), flip));
    } else {
      static_assert(kType == DType::kQ4_0);
      for (int g = 0; g < kFours / 2; ++g) {
        const WordVector word = chunk.word(j, g);
        codes[g] = bytes(low_nibbles(word));
        codes[kFours / 2 + g] = bytes(high_nibbles(word));
      }
    }
  }
};

template <>
struct Unpacked<DType::kQ4_1> : UnpackedPlain<DType::kQ4_1> {
  static constexpr bool kShifted = true;

  template <int kLess>
  static HWY_INLINE void unpack(const Chunk<kType>& chunk, Panel& panel) {
    unpack_scales(chunk, panel);
    unpack_nibbles<kLess>(chunk, panel);
  }
};

template <>
struct Unpacked<DType::kQ5_0> : UnpackedPlain<DType::kQ5_0> {
  static constexpr int kCodeMax = 31;
  static constexpr int kOffset = 16;

  template <int kLess>
  static HWY_INLINE void unpack(const Chunk<kType>& chunk, Panel& panel) {
    unpack_scales(chunk, panel);
    unpack_fives<kLess>(chunk, panel);
  }
};

template <>
struct Unpacked<DType::kQ5_1> : UnpackedPlain<DType::kQ5_1> {
  static constexpr int kCodeMax = 31;
  static constexpr bool kShifted = true;

  template <int kLess>
  static HWY_INLINE void unpack(const Chunk<kType>& chunk, Panel& panel) {
    unpack_scales(chunk, panel);
    unpack_fives<kLess>(chunk, panel);
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

  template <int kLess>
  static HWY_INLINE void unpack(const Chunk<kType>& chunk, Panel& panel) {
    unpack_header(chunk, panel);
    for (int pair = 0; pair < 4; ++pair) {
      for (int g = 0; g < kFours; ++g) {
        const WordVector word = chunk.word(0, 3 + kFours * pair + g);
        store_codes<kLess>(low_nibbles(word), panel.codes[2 * pair][g]);
        store_codes<kLess>(high_nibbles(word), panel.codes[2 * pair + 1][g]);
      }
    }
  }
};

template <>
struct Unpacked<DType::kQ5_K> : UnpackedPlain<DType::kQ5_K> {
  static constexpr int kCodeMax = 31;
  static constexpr bool kShifted = true;

  template <int kLess>
  static HWY_INLINE void unpack(const Chunk<kType>& chunk, Panel& panel) {
    unpack_header(chunk, panel);
    // Bit j of a byte of the fifth bits belongs to block j.
    for (int g = 0; g < kFours; ++g) {
      const WordVector fifth = chunk.word(0, 3 + g);
      for (int pair = 0; pair < 4; ++pair) {
        const WordVector word = chunk.word(0, 3 + kFours * (1 + pair) + g);
        const auto bits = hn::ShiftRightSame(fifth, 2 * pair);
        const auto even = hn::ShiftLeft<4>(hn::And(bits, all(0x01010101)));
        const auto odd = hn::ShiftLeft<3>(hn::And(bits, all(0x02020202)));
        store_codes<kLess>(hn::Or(low_nibbles(word), even), panel.codes[2 * pair][g]);
        store_codes<kLess>(hn::Or(high_nibbles(word), odd), panel.codes[2 * pair + 1][g]);
      }
    }
  }
};

template <>
struct Unpacked<DType::kQ6_K> : UnpackedPlain<DType::kQ6_K> {
  static constexpr int kCodeMax = 63;
  static constexpr int kOffset = 32;
  static constexpr int kRuns = 2;

  template <int kLess>
  static HWY_INLINE void unpack(const Chunk<kType>& chunk, Panel& panel) {
    constexpr int kHigh = 128 / 4, kScales = 192 / 4;  // words before
    const FloatVector d = chunk.half(0, 0);
    const WordVector scales[4] = {chunk.word(0, kScales), chunk.word(0, kScales + 1),
                                  chunk.word(0, kScales + 2), chunk.word(0, kScales + 3)};
    for (int run = 0; run < 2 * kChunk; ++run)
      hn::Store(scale_at<int8_t>(scales, run, d), PanelFloats(), panel.scale[run / 2][run % 2]);
    const auto two = all(0x30303030);
    // Word g of one half's 32 bytes: see BlockQ6_K.
    for (int half = 0; half < 2; ++half) {
      for (int g = 0; g < kFours; ++g) {
        const WordVector even = chunk.word(0, 16 * half + g);
        const WordVector odd = chunk.word(0, 16 * half + kFours + g);
        const WordVector high = chunk.word(0, kHigh + kFours * half + g);
        const auto store = [&](int t, WordVector nibbles, WordVector bits) HWY_ATTR {
          store_codes<kLess>(hn::Or(nibbles, hn::And(bits, two)), panel.codes[4 * half + t][g]);
        };
        store(0, low_nibbles(even), hn::ShiftLeft<4>(high));
        store(1, low_nibbles(odd), hn::ShiftLeft<2>(high));
        store(2, high_nibbles(even), high);
        store(3, high_nibbles(odd), hn::ShiftRight<2>(high));
      }
    }
  }
};

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
