// Quantised blocks in vectors: the codes of 32 elements as bytes, and the scales of a block as
// floats. Included once per Highway target; HWY_SCALAR has no bytes to speak of and uses
// quant/decode.cpp.
#if defined(PLINTH_TENSOR_CPU_BLOCKS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PLINTH_TENSOR_CPU_BLOCKS_INL_H_
#undef PLINTH_TENSOR_CPU_BLOCKS_INL_H_
#else
#define PLINTH_TENSOR_CPU_BLOCKS_INL_H_
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

// A block of 32 codes is one vector where vectors are that wide, else two. Wider ones would hold
// two blocks with two scales, which costs more than it saves: decoding waits for memory anyway.
using Bytes = hn::CappedTag<uint8_t, kBlock>;
using SignedBytes = hn::RebindToSigned<Bytes>;
using Words = hn::Repartition<int32_t, Bytes>;  // one for four bytes
using Floats = hn::RebindToFloat<Words>;

inline constexpr int kByteLanes = HWY_MIN(kBlock, HWY_LANES(uint8_t));
inline constexpr int kParts = kBlock / kByteLanes;
inline constexpr int kWordLanes = kByteLanes / 4;

// Four bits of each byte, low then high, as 32 codes.
template <class D>
HWY_INLINE void split_nibbles(D d, const uint8_t* low, hn::Vec<D> out[kParts]) {
  const hn::FixedTag<uint8_t, 16> half;
  const hn::Repartition<uint16_t, decltype(half)> pairs;
  const auto bytes = hn::LoadU(half, low);
  const auto shifted = hn::BitCast(half, hn::ShiftRight<4>(hn::BitCast(pairs, bytes)));
  if constexpr (kParts == 1) {
    out[0] = hn::And(hn::Combine(d, shifted, bytes), hn::Set(d, 15));
  } else {
    out[0] = hn::And(bytes, hn::Set(d, 15));
    out[1] = hn::And(shifted, hn::Set(d, 15));
  }
}

// Adds the fifth bit of 32 codes; 8 bytes are readable at `bits`.
template <class D>
HWY_INLINE void add_fifths(D d, const uint8_t* bits, hn::Vec<D> out[kParts]) {
  for (int p = 0; p < kParts; ++p) {
    const auto set = hn::LoadMaskBits(d, bits + p * kByteLanes / 8);
    out[p] = hn::Or(out[p], hn::IfThenElseZero(set, hn::Set(d, 16)));
  }
}

HWY_INLINE float half_at(const uint8_t* bytes) {
  uint16_t bits;
  std::memcpy(&bits, bytes, sizeof bits);
  // One lane through the hardware conversion where there is one.
  const hn::FixedTag<float, 4> d;
  const hn::Rebind<hwy::float16_t, decltype(d)> d16;
  const hn::Rebind<uint16_t, decltype(d)> du16;
  return hn::GetLane(hn::PromoteTo(d, hn::BitCast(d16, hn::Set(du16, bits))));
}

// out[0, n) = factor * bytes, which are signed or not as T says.
template <typename T>
HWY_INLINE void scale_bytes(const uint8_t* bytes, int n, float factor, float* out) {
  const hn::Rebind<T, Words> small;
  for (int i = 0; i < n; i += kWordLanes) {
    const auto values = hn::LoadU(small, reinterpret_cast<const T*>(bytes + i));
    const auto wide = hn::ConvertTo(Floats(), hn::PromoteTo(Words(), values));
    hn::Store(hn::Mul(wide, hn::Set(Floats(), factor)), Floats(), out + i);
  }
}

// How to read a stored type. A unit is what its layout repeats: kBlocks blocks of 32 in kBytes.
//   codes()   the codes of one block; signed bytes where kSigned, else an element is code - kOffset
//   scales()  kRuns per block: one for 32 elements, or two for 16 each; where kShifted, also what
//   is
//             added to every element of a block
template <DType kType>
struct Packed;

struct Plain32 {
  static constexpr int kBlocks = 1;
  static constexpr int kRuns = 1;
  static constexpr bool kSigned = false;
  static constexpr bool kShifted = false;
  static constexpr int kOffset = 0;

  static HWY_INLINE void scales(const uint8_t* unit, float* scale, float*) {
    scale[0] = half_at(unit);
  }
};

struct Shifted32 : Plain32 {
  static constexpr bool kShifted = true;

  static HWY_INLINE void scales(const uint8_t* unit, float* scale, float* shift) {
    scale[0] = half_at(unit);
    shift[0] = half_at(unit + 2);
  }
};

template <>
struct Packed<DType::kQ8_0> : Plain32 {
  static constexpr bool kSigned = true;

  template <class D>
  static HWY_INLINE void codes(D d, const uint8_t* unit, int, hn::Vec<D> out[kParts]) {
    for (int p = 0; p < kParts; ++p) out[p] = hn::LoadU(d, unit + 2 + p * kByteLanes);
  }
};

template <>
struct Packed<DType::kQ4_0> : Plain32 {
  static constexpr int kOffset = 8;

  template <class D>
  static HWY_INLINE void codes(D d, const uint8_t* unit, int, hn::Vec<D> out[kParts]) {
    split_nibbles(d, unit + 2, out);
  }
};

template <>
struct Packed<DType::kQ4_1> : Shifted32 {
  template <class D>
  static HWY_INLINE void codes(D d, const uint8_t* unit, int, hn::Vec<D> out[kParts]) {
    split_nibbles(d, unit + 4, out);
  }
};

template <>
struct Packed<DType::kQ5_0> : Plain32 {
  static constexpr int kOffset = 16;

  template <class D>
  static HWY_INLINE void codes(D d, const uint8_t* unit, int, hn::Vec<D> out[kParts]) {
    split_nibbles(d, unit + 6, out);
    add_fifths(d, unit + 2, out);
  }
};

template <>
struct Packed<DType::kQ5_1> : Shifted32 {
  template <class D>
  static HWY_INLINE void codes(D d, const uint8_t* unit, int, hn::Vec<D> out[kParts]) {
    split_nibbles(d, unit + 8, out);
    add_fifths(d, unit + 4, out);
  }
};

// Q4_K and Q5_K.
struct SixBitScales {
  static constexpr int kBlocks = 8;
  static constexpr int kRuns = 1;
  static constexpr bool kSigned = false;
  static constexpr bool kShifted = true;
  static constexpr int kOffset = 0;

  static HWY_INLINE void scales(const uint8_t* unit, float* scale, float* shift) {
    const SixBits six = unpack_six_bits(unit + 4);
    scale_bytes<uint8_t>(six.scale, 8, half_at(unit), scale);
    scale_bytes<uint8_t>(six.minimum, 8, -half_at(unit + 2), shift);
  }

  // Four bits of each of block j's codes.
  template <class D>
  static HWY_INLINE void nibbles(D d, const uint8_t* low, int j, hn::Vec<D> out[kParts]) {
    for (int p = 0; p < kParts; ++p) {
      const auto bytes = hn::LoadU(d, low + j / 2 * kBlock + p * kByteLanes);
      out[p] = j % 2 == 0 ? hn::And(bytes, hn::Set(d, 15)) : hn::ShiftRight<4>(bytes);
    }
  }
};

template <>
struct Packed<DType::kQ4_K> : SixBitScales {
  template <class D>
  static HWY_INLINE void codes(D d, const uint8_t* unit, int j, hn::Vec<D> out[kParts]) {
    nibbles(d, unit + 16, j, out);
  }
};

template <>
struct Packed<DType::kQ5_K> : SixBitScales {
  template <class D>
  static HWY_INLINE void codes(D d, const uint8_t* unit, int j, hn::Vec<D> out[kParts]) {
    nibbles(d, unit + 48, j, out);
    const auto bit = hn::Set(d, static_cast<uint8_t>(1 << j));
    for (int p = 0; p < kParts; ++p) {
      const auto set = hn::TestBit(hn::LoadU(d, unit + 16 + p * kByteLanes), bit);
      out[p] = hn::Or(out[p], hn::IfThenElseZero(set, hn::Set(d, 16)));
    }
  }
};

template <>
struct Packed<DType::kQ6_K> {
  static constexpr int kBlocks = 8;
  static constexpr int kRuns = 2;
  static constexpr bool kSigned = false;
  static constexpr bool kShifted = false;
  static constexpr int kOffset = 32;

  static HWY_INLINE void scales(const uint8_t* unit, float* scale, float*) {
    scale_bytes<int8_t>(unit + 192, 16, half_at(unit + 208), scale);
  }

  template <class D>
  static HWY_INLINE void codes(D d, const uint8_t* unit, int j, hn::Vec<D> out[kParts]) {
    const hn::Repartition<uint16_t, D> pairs;
    const int t = j % 4;
    const uint8_t* low = unit + j / 4 * 64 + t % 2 * kBlock;
    const uint8_t* high = unit + 128 + j / 4 * kBlock;
    // The two high bits are masked where they are, so shifting bytes in pairs mixes none.
    const auto mask = hn::Set(d, static_cast<uint8_t>(3 << 2 * t));
    for (int p = 0; p < kParts; ++p) {
      const auto bytes = hn::LoadU(d, low + p * kByteLanes);
      const auto four = t < 2 ? hn::And(bytes, hn::Set(d, 15)) : hn::ShiftRight<4>(bytes);
      const auto two = hn::BitCast(pairs, hn::And(hn::LoadU(d, high + p * kByteLanes), mask));
      const auto moved = t == 0   ? hn::ShiftLeft<4>(two)
                         : t == 1 ? hn::ShiftLeft<2>(two)
                         : t == 2 ? two
                                  : hn::ShiftRight<2>(two);
      out[p] = hn::Or(four, hn::BitCast(d, moved));
    }
  }
};

// body(Packed<type>()): the one place where a quantised type is chosen at run time.
template <class Body>
HWY_INLINE void with_packed(DType type, const Body& body) {
  switch (type) {
    case DType::kQ8_0:
      return body(Packed<DType::kQ8_0>());
    case DType::kQ4_0:
      return body(Packed<DType::kQ4_0>());
    case DType::kQ5_0:
      return body(Packed<DType::kQ5_0>());
    case DType::kQ4_1:
      return body(Packed<DType::kQ4_1>());
    case DType::kQ5_1:
      return body(Packed<DType::kQ5_1>());
    case DType::kQ4_K:
      return body(Packed<DType::kQ4_K>());
    case DType::kQ5_K:
      return body(Packed<DType::kQ5_K>());
    case DType::kQ6_K:
      return body(Packed<DType::kQ6_K>());
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
      break;
  }
  PLINTH_CHECK(false, "element type {} has no blocks", static_cast<int>(type));
}

// Bytes of a unit.
template <DType kType>
constexpr int64_t unit_bytes(Packed<kType>) {
  return static_cast<int64_t>(traits(kType).bytes);
}

// out[0, n) = elements [first, first + n) of a stored row, both in whole blocks of 32. The same
// floats as to_f32, bit for bit.
template <class P>
HWY_NOINLINE void decode_packed(P packed, const uint8_t* row, int64_t first, int64_t n,
                                float* HWY_RESTRICT out) {
  const hn::Rebind<uint8_t, Tag> small;
  const hn::RebindToSigned<Tag> wide;
  HWY_ALIGN float scale[P::kBlocks * P::kRuns];
  HWY_ALIGN float shift[P::kBlocks];
  for (int64_t block = first / kBlock; block < (first + n) / kBlock; ++block, out += kBlock) {
    const uint8_t* unit = row + block / P::kBlocks * unit_bytes(packed);
    const int j = static_cast<int>(block % P::kBlocks);
    if (j == 0 || block == first / kBlock) P::scales(unit, scale, shift);
    hn::Vec<Bytes> vectors[kParts];
    P::codes(Bytes(), unit, j, vectors);
    HWY_ALIGN uint8_t codes[kBlock];
    for (int p = 0; p < kParts; ++p) hn::Store(vectors[p], Bytes(), codes + p * kByteLanes);
    for (int i = 0; i < kBlock; i += kLanes) {
      const auto bytes = hn::LoadU(small, codes + i);
      Vector value;
      if constexpr (P::kSigned) {
        const hn::RebindToSigned<decltype(small)> small_signed;
        value = hn::ConvertTo(kTag, hn::PromoteTo(wide, hn::BitCast(small_signed, bytes)));
      } else {
        const auto code = hn::PromoteTo(wide, bytes);
        value = hn::ConvertTo(kTag, hn::Sub(code, hn::Set(wide, P::kOffset)));
      }
      value = hn::Mul(value, hn::Set(kTag, scale[j * P::kRuns + i * P::kRuns / kBlock]));
      if constexpr (P::kShifted) value = hn::Add(value, hn::Set(kTag, shift[j]));
      hn::StoreU(value, kTag, out + i);
    }
  }
}

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#endif  // HWY_TARGET != HWY_SCALAR

#endif
