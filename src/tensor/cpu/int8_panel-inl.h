// Stored blocks of several weight rows turned into a panel: the four bytes that one lane of an
// integer dot product takes, side by side for kPanel rows. Included once per Highway target.
//
// Turning costs some twenty shuffles for 16 bytes of each row, and gives back more: a block's sum
// is whole in its lane, scales are applied to kPanel rows at once, and x is read as broadcasts.
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
#include "tensor/quant/layout.h"

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
using PanelFloats = hn::FixedTag<float, kPanel>;
using WordVector = hn::Vec<PanelWords>;
using ByteVector = hn::Vec<PanelBytes>;
using FloatVector = hn::Vec<PanelFloats>;

// Blocks of 32 turned at a time, a whole super block: 5 KiB with AVX-512, which stay in L1 while
// all rows of x pass over them.
inline constexpr int kChunk = 8;
// Dot products of a block: each takes four codes of every row.
inline constexpr int kFours = kBlock / 4;

struct alignas(64) Panel {
  uint8_t codes[kChunk][kFours][4 * kPanel];  // as `Turned` says
  float scale[kChunk][2][kPanel];
  float shift[kChunk][kPanel];
};

// Quarter vectors of rows: load(row), load(row + 4), ... until d is full.
template <class D, class Load>
HWY_INLINE hn::Vec<D> stack(D d, const Load& load, int row) {
  if constexpr (hn::MaxLanes(D()) == 4) {
    return load(row);
  } else {
    const hn::Half<D> half;
    return hn::Combine(d, stack(half, load, row + static_cast<int>(hn::MaxLanes(half))),
                       stack(half, load, row));
  }
}

// out[g], lane r = bytes 4 g .. 4 g + 3 of row r, of 16 bytes that begin at bytes + r * stride.
HWY_INLINE void turn(const uint8_t* bytes, int64_t stride, WordVector out[4]) {
  const auto load = [&](int r) HWY_ATTR {
    return hn::BitCast(hn::FixedTag<int32_t, 4>(),
                       hn::LoadU(hn::FixedTag<uint8_t, 16>(), bytes + r * stride));
  };
  const PanelWords d;
  const hn::Repartition<int64_t, PanelWords> d64;
  WordVector rows[4];
  for (int a = 0; a < 4; ++a) rows[a] = stack(d, load, a);
  const auto low01 = hn::BitCast(d64, hn::InterleaveLower(d, rows[0], rows[1]));
  const auto low23 = hn::BitCast(d64, hn::InterleaveLower(d, rows[2], rows[3]));
  const auto high01 = hn::BitCast(d64, hn::InterleaveUpper(d, rows[0], rows[1]));
  const auto high23 = hn::BitCast(d64, hn::InterleaveUpper(d, rows[2], rows[3]));
  out[0] = hn::BitCast(d, hn::InterleaveLower(d64, low01, low23));
  out[1] = hn::BitCast(d, hn::InterleaveUpper(d64, low01, low23));
  out[2] = hn::BitCast(d, hn::InterleaveLower(d64, high01, high23));
  out[3] = hn::BitCast(d, hn::InterleaveUpper(d64, high01, high23));
}

HWY_INLINE WordVector all(int32_t bits) {
  return hn::Set(PanelWords(), bits);
}

HWY_INLINE WordVector low_nibbles(WordVector v) {
  return hn::And(v, all(0x0f0f0f0f));
}

HWY_INLINE WordVector high_nibbles(WordVector v) {
  return hn::And(hn::ShiftRight<4>(v), all(0x0f0f0f0f));
}

HWY_INLINE void store_codes(WordVector v, uint8_t* out) {
  hn::Store(hn::BitCast(PanelBytes(), v), PanelBytes(), out);
}

// Bits [4 g, 4 g + 4) of every lane become bit 4 of its four bytes.
HWY_INLINE WordVector fifths(WordVector bits, int g) {
  const auto four = hn::And(hn::ShiftRightSame(bits, 4 * g), all(15));
  const auto spread = hn::And(hn::Mul(four, all(0x00204081)), all(0x01010101));
  return hn::ShiftLeft<4>(spread);
}

// out[j][r] = the T at bytes + r * stride + j * step. As scalars: they cost no shuffles.
template <typename T>
HWY_INLINE void collect(const uint8_t* bytes, int64_t stride, int64_t step, int n,
                        T out[kChunk][kPanel]) {
  for (int r = 0; r < kPanel; ++r) {
    for (int j = 0; j < n; ++j) std::memcpy(&out[j][r], bytes + r * stride + j * step, sizeof(T));
  }
}

HWY_INLINE FloatVector load_halves(const uint16_t* halves) {
  const hn::Rebind<uint16_t, PanelFloats> du16;
  const hn::Rebind<hwy::float16_t, PanelFloats> d16;
  return hn::PromoteTo(PanelFloats(), hn::BitCast(d16, hn::Load(du16, halves)));
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

// How a stored type becomes a panel. pack() turns `n` blocks, of kPanel rows `stride` bytes apart;
// rows of K types come in whole super blocks.
//   kSigned   the codes are signed bytes (with byte dots they are raised by 128 = kOffset)
//   kOffset   an element is (code - kOffset) * scale
//   kRuns     scales per block: one for 32 elements, or two for 16 each
//   kShifted  `shift` is added to every element
template <DType kType>
struct Turned;

struct TurnedPlain {
  static constexpr bool kSigned = false;
  static constexpr int kOffset = 0;
  static constexpr int kRuns = 1;
  static constexpr bool kShifted = false;
};

HWY_INLINE void pack_scales(const uint8_t* rows, int64_t stride, int64_t step, int n,
                            Panel& panel) {
  HWY_ALIGN uint16_t halves[kChunk][kPanel];
  collect(rows, stride, step, n, halves);
  for (int j = 0; j < n; ++j) hn::Store(load_halves(halves[j]), PanelFloats(), panel.scale[j][0]);
}

HWY_INLINE void pack_shifts(const uint8_t* rows, int64_t stride, int64_t step, int n,
                            Panel& panel) {
  HWY_ALIGN uint16_t halves[kChunk][kPanel];
  collect(rows, stride, step, n, halves);
  for (int j = 0; j < n; ++j) hn::Store(load_halves(halves[j]), PanelFloats(), panel.shift[j]);
}

// 16 bytes of nibbles, low then high, per block.
HWY_INLINE void pack_nibbles(const uint8_t* rows, int64_t stride, int64_t step, int n,
                             Panel& panel) {
  for (int j = 0; j < n; ++j) {
    WordVector v[4];
    turn(rows + j * step, stride, v);
    for (int g = 0; g < 4; ++g) {
      store_codes(low_nibbles(v[g]), panel.codes[j][g]);
      store_codes(high_nibbles(v[g]), panel.codes[j][4 + g]);
    }
  }
}

// The same with fifth bits, 4 bytes per block.
HWY_INLINE void pack_fives(const uint8_t* bits, const uint8_t* rows, int64_t stride, int64_t step,
                           int n, Panel& panel) {
  HWY_ALIGN int32_t words[kChunk][kPanel];
  collect(bits, stride, step, n, words);
  for (int j = 0; j < n; ++j) {
    const auto fifth = hn::Load(PanelWords(), words[j]);
    WordVector v[4];
    turn(rows + j * step, stride, v);
    for (int g = 0; g < 4; ++g) {
      store_codes(hn::Or(low_nibbles(v[g]), fifths(fifth, g)), panel.codes[j][g]);
      store_codes(hn::Or(high_nibbles(v[g]), fifths(fifth, 4 + g)), panel.codes[j][4 + g]);
    }
  }
}

template <>
struct Turned<DType::kQ8_0> : TurnedPlain {
  static constexpr bool kSigned = true;
  static constexpr int kOffset = kByteDots ? 128 : 0;

  static HWY_INLINE void pack(const uint8_t* rows, int64_t stride, int n, Panel& panel) {
    constexpr int64_t kStep = sizeof(BlockQ8_0);
    pack_scales(rows, stride, kStep, n, panel);
    const WordVector raise = all(kByteDots ? static_cast<int32_t>(0x80808080u) : 0);
    for (int j = 0; j < n; ++j) {
      for (int half = 0; half < 2; ++half) {
        WordVector v[4];
        turn(rows + 2 + j * kStep + 16 * half, stride, v);
        for (int g = 0; g < 4; ++g) store_codes(hn::Xor(v[g], raise), panel.codes[j][4 * half + g]);
      }
    }
  }
};

template <>
struct Turned<DType::kQ4_0> : TurnedPlain {
  static constexpr int kOffset = 8;

  static HWY_INLINE void pack(const uint8_t* rows, int64_t stride, int n, Panel& panel) {
    constexpr int64_t kStep = sizeof(BlockQ4_0);
    pack_scales(rows, stride, kStep, n, panel);
    pack_nibbles(rows + 2, stride, kStep, n, panel);
  }
};

template <>
struct Turned<DType::kQ4_1> : TurnedPlain {
  static constexpr bool kShifted = true;

  static HWY_INLINE void pack(const uint8_t* rows, int64_t stride, int n, Panel& panel) {
    constexpr int64_t kStep = sizeof(BlockQ4_1);
    pack_scales(rows, stride, kStep, n, panel);
    pack_shifts(rows + 2, stride, kStep, n, panel);
    pack_nibbles(rows + 4, stride, kStep, n, panel);
  }
};

template <>
struct Turned<DType::kQ5_0> : TurnedPlain {
  static constexpr int kOffset = 16;

  static HWY_INLINE void pack(const uint8_t* rows, int64_t stride, int n, Panel& panel) {
    constexpr int64_t kStep = sizeof(BlockQ5_0);
    pack_scales(rows, stride, kStep, n, panel);
    pack_fives(rows + 2, rows + 6, stride, kStep, n, panel);
  }
};

template <>
struct Turned<DType::kQ5_1> : TurnedPlain {
  static constexpr bool kShifted = true;

  static HWY_INLINE void pack(const uint8_t* rows, int64_t stride, int n, Panel& panel) {
    constexpr int64_t kStep = sizeof(BlockQ5_1);
    pack_scales(rows, stride, kStep, n, panel);
    pack_shifts(rows + 2, stride, kStep, n, panel);
    pack_fives(rows + 4, rows + 8, stride, kStep, n, panel);
  }
};

// The header that Q4_K and Q5_K share; the same arithmetic as unpack_six_bits.
HWY_INLINE void pack_header(const uint8_t* rows, int64_t stride, Panel& panel) {
  HWY_ALIGN uint16_t halves[2][kPanel];
  for (int r = 0; r < kPanel; ++r) {
    std::memcpy(&halves[0][r], rows + r * stride, 2);
    std::memcpy(&halves[1][r], rows + r * stride + 2, 2);
  }
  WordVector head[4];
  turn(rows, stride, head);
  const auto low = all(0x3f3f3f3f);
  const auto top = all(0x30303030);
  const WordVector scale[2] = {
      hn::And(head[1], low),
      hn::Or(low_nibbles(head[3]), hn::And(hn::ShiftRight<2>(head[1]), top))};
  const WordVector minimum[2] = {
      hn::And(head[2], low),
      hn::Or(high_nibbles(head[3]), hn::And(hn::ShiftRight<2>(head[2]), top))};
  const FloatVector d = load_halves(halves[0]);
  const FloatVector m = hn::Neg(load_halves(halves[1]));
  for (int j = 0; j < kChunk; ++j) {
    hn::Store(scale_at<uint8_t>(scale, j, d), PanelFloats(), panel.scale[j][0]);
    hn::Store(scale_at<uint8_t>(minimum, j, m), PanelFloats(), panel.shift[j]);
  }
}

template <>
struct Turned<DType::kQ4_K> : TurnedPlain {
  static constexpr bool kShifted = true;

  static HWY_INLINE void pack(const uint8_t* rows, int64_t stride, int, Panel& panel) {
    pack_header(rows, stride, panel);
    for (int at = 0; at < 8; ++at) {
      WordVector v[4];
      turn(rows + 16 + 16 * at, stride, v);
      for (int g = 0; g < 4; ++g) {
        store_codes(low_nibbles(v[g]), panel.codes[at / 2 * 2][at % 2 * 4 + g]);
        store_codes(high_nibbles(v[g]), panel.codes[at / 2 * 2 + 1][at % 2 * 4 + g]);
      }
    }
  }
};

template <>
struct Turned<DType::kQ5_K> : TurnedPlain {
  static constexpr bool kShifted = true;

  static HWY_INLINE void pack(const uint8_t* rows, int64_t stride, int, Panel& panel) {
    pack_header(rows, stride, panel);
    // Bit j of a byte belongs to block j.
    for (int half = 0; half < 2; ++half) {
      WordVector fifth[4];
      turn(rows + 16 + 16 * half, stride, fifth);
      for (int pair = 0; pair < 4; ++pair) {
        WordVector v[4];
        turn(rows + 48 + 32 * pair + 16 * half, stride, v);
        for (int g = 0; g < 4; ++g) {
          const auto bits = hn::ShiftRightSame(fifth[g], 2 * pair);
          const auto even = hn::ShiftLeft<4>(hn::And(bits, all(0x01010101)));
          const auto odd = hn::ShiftLeft<3>(hn::And(bits, all(0x02020202)));
          store_codes(hn::Or(low_nibbles(v[g]), even), panel.codes[2 * pair][4 * half + g]);
          store_codes(hn::Or(high_nibbles(v[g]), odd), panel.codes[2 * pair + 1][4 * half + g]);
        }
      }
    }
  }
};

template <>
struct Turned<DType::kQ6_K> : TurnedPlain {
  static constexpr int kOffset = 32;
  static constexpr int kRuns = 2;

  static HWY_INLINE void pack(const uint8_t* rows, int64_t stride, int, Panel& panel) {
    HWY_ALIGN uint16_t halves[kPanel];
    for (int r = 0; r < kPanel; ++r) std::memcpy(&halves[r], rows + r * stride + 208, 2);
    const FloatVector d = load_halves(halves);
    WordVector scales[4];
    turn(rows + 192, stride, scales);
    for (int run = 0; run < 2 * kChunk; ++run)
      hn::Store(scale_at<int8_t>(scales, run, d), PanelFloats(), panel.scale[run / 2][run % 2]);
    // Bytes [16 at, 16 at + 16) of one half's 32: see BlockQ6_K.
    for (int half = 0; half < 2; ++half) {
      for (int at = 0; at < 2; ++at) {
        WordVector even[4], odd[4], high[4];
        turn(rows + 64 * half + 16 * at, stride, even);
        turn(rows + 64 * half + 32 + 16 * at, stride, odd);
        turn(rows + 128 + 32 * half + 16 * at, stride, high);
        const auto two = all(0x30303030);
        for (int g = 0; g < 4; ++g) {
          const auto store = [&](int t, WordVector nibbles, WordVector bits) HWY_ATTR {
            store_codes(hn::Or(nibbles, hn::And(bits, two)), panel.codes[4 * half + t][4 * at + g]);
          };
          store(0, low_nibbles(even[g]), hn::ShiftLeft<4>(high[g]));
          store(1, low_nibbles(odd[g]), hn::ShiftLeft<2>(high[g]));
          store(2, high_nibbles(even[g]), high[g]);
          store(3, high_nibbles(odd[g]), hn::ShiftRight<2>(high[g]));
        }
      }
    }
  }
};

// body(Turned<type>()): the one place where a type is chosen at run time.
template <class Body>
HWY_INLINE void with_turned(DType type, const Body& body) {
  switch (type) {
    case DType::kQ8_0:
      return body(Turned<DType::kQ8_0>());
    case DType::kQ4_0:
      return body(Turned<DType::kQ4_0>());
    case DType::kQ5_0:
      return body(Turned<DType::kQ5_0>());
    case DType::kQ4_1:
      return body(Turned<DType::kQ4_1>());
    case DType::kQ5_1:
      return body(Turned<DType::kQ5_1>());
    case DType::kQ4_K:
      return body(Turned<DType::kQ4_K>());
    case DType::kQ5_K:
      return body(Turned<DType::kQ5_K>());
    case DType::kQ6_K:
      return body(Turned<DType::kQ6_K>());
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
