// Stored weights to floats, vector by vector. Included once per Highway target.
#if defined(PLINTH_TENSOR_CPU_DECODE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PLINTH_TENSOR_CPU_DECODE_INL_H_
#undef PLINTH_TENSOR_CPU_DECODE_INL_H_
#else
#define PLINTH_TENSOR_CPU_DECODE_INL_H_
#endif

#include <cstdint>
#include <cstring>

#include <hwy/highway.h>

#include "tensor/cpu/simd-inl.h"
#include "tensor/half.h"
#include "tensor/tensor.h"

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

// Loads elements of any alignment: stored weights begin where their file puts them.
template <class D>
HWY_INLINE hn::VFromD<D> load_bytes(D d, const uint8_t* bytes) {
#if HWY_TARGET == HWY_SCALAR
  hn::TFromD<D> value;
  std::memcpy(&value, bytes, sizeof value);
  return hn::Set(d, value);
#else
  return hn::LoadU(d, reinterpret_cast<const hn::TFromD<D>*>(bytes));
#endif
}

// One vector of stored elements. Q8_0: the int8 only, unscaled.
template <DType kType>
HWY_INLINE Vector load_stored(const uint8_t* bytes) {
  const Tag d;
  if constexpr (kType == DType::kF32) {
    return load_bytes(d, bytes);
  } else if constexpr (kType == DType::kBF16) {
    const auto bits = load_bytes(hn::Rebind<uint16_t, Tag>(), bytes);
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(hn::RebindToUnsigned<Tag>(), bits)));
  } else if constexpr (kType == DType::kF16) {
    const auto bits = load_bytes(hn::Rebind<uint16_t, Tag>(), bytes);
    return hn::PromoteTo(d, hn::BitCast(hn::Rebind<hwy::float16_t, Tag>(), bits));
  } else {
    const auto q = load_bytes(hn::Rebind<int8_t, Tag>(), bytes);
    return hn::ConvertTo(d, hn::PromoteTo(hn::RebindToSigned<Tag>(), q));
  }
}

HWY_INLINE float q8_scale(const uint8_t* block) {
  uint16_t bits;
  std::memcpy(&bits, block, sizeof bits);
#if HWY_TARGET == HWY_SCALAR
  return f16_to_f32(bits);
#else
  // One lane through the hardware conversion where there is one.
  const hn::FixedTag<float, 4> d;
  const hn::Rebind<hwy::float16_t, decltype(d)> d16;
  const hn::Rebind<uint16_t, decltype(d)> du16;
  return hn::GetLane(hn::PromoteTo(d, hn::BitCast(d16, hn::Set(du16, bits))));
#endif
}

template <DType kType>
HWY_INLINE void decode_simple(const uint8_t* bytes, int64_t n, float* HWY_RESTRICT out) {
  const Tag d;
  const int64_t width = kType == DType::kF32 ? 4 : 2;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    hn::StoreU(load_stored<kType>(bytes + i * width), d, out + i);
  if (i < n) to_f32(bytes + i * width, kType, n - i, out + i);
}

// out[0, n) = elements [first, first + n) of a stored row. Q8_0: whole blocks.
HWY_INLINE void decode(const uint8_t* row, DType type, int64_t first, int64_t n,
                       float* HWY_RESTRICT out) {
  switch (type) {
    case DType::kF32:
      return decode_simple<DType::kF32>(row + first * 4, n, out);
    case DType::kF16:
      return decode_simple<DType::kF16>(row + first * 2, n, out);
    case DType::kBF16:
      return decode_simple<DType::kBF16>(row + first * 2, n, out);
    case DType::kQ8_0:
      break;
  }
  const Tag d;
  const uint8_t* block = row + first / kQ8Block * kQ8Bytes;
  for (int64_t i = 0; i < n; i += kQ8Block, block += kQ8Bytes) {
    const auto scale = hn::Set(d, q8_scale(block));
    for (int64_t j = 0; j < kQ8Block; j += kLanes) {
      const auto q = load_stored<DType::kQ8_0>(block + 2 + j);
      hn::StoreU(hn::Mul(q, scale), d, out + i + j);
    }
  }
}

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#endif
