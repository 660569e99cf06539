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

#include "tensor/cpu/blocks-inl.h"
#include "tensor/cpu/simd-inl.h"
#include "tensor/quant/codec.h"
#include "tensor/quant/layout.h"
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

// One vector of stored elements that are not quantised.
template <DType kType>
HWY_INLINE Vector load_stored(const uint8_t* bytes) {
  const Tag d;
  if constexpr (kType == DType::kF32) {
    return load_bytes(d, bytes);
  } else if constexpr (kType == DType::kBF16) {
    const auto bits = load_bytes(hn::Rebind<uint16_t, Tag>(), bytes);
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(hn::RebindToUnsigned<Tag>(), bits)));
  } else {
    static_assert(kType == DType::kF16);
    const auto bits = load_bytes(hn::Rebind<uint16_t, Tag>(), bytes);
    return hn::PromoteTo(d, hn::BitCast(hn::Rebind<hwy::float16_t, Tag>(), bits));
  }
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

HWY_INLINE void decode_quantised(const uint8_t* row, DType type, int64_t first, int64_t n,
                                 float* HWY_RESTRICT out) {
#if HWY_TARGET == HWY_SCALAR
  const auto& of = traits(type);
  float whole[kSuperBlock];
  for (int64_t i = 0; i < n; i += kBlock) {
    decode_block(type, row + (first + i) / of.block * static_cast<int64_t>(of.bytes), whole);
    std::memcpy(out + i, whole + (first + i) % of.block, kBlock * sizeof(float));
  }
#else
  with_packed(type, [&](auto packed) HWY_ATTR { decode_packed(packed, row, first, n, out); });
#endif
}

// out[0, n) = elements [first, first + n) of a stored row; of a quantised one, blocks of 32.
HWY_INLINE void decode(const uint8_t* row, DType type, int64_t first, int64_t n,
                       float* HWY_RESTRICT out) {
  switch (type) {
    case DType::kF32:
      return decode_simple<DType::kF32>(row + first * 4, n, out);
    case DType::kF16:
      return decode_simple<DType::kF16>(row + first * 2, n, out);
    case DType::kBF16:
      return decode_simple<DType::kBF16>(row + first * 2, n, out);
    default:
      return decode_quantised(row, type, first, n, out);
  }
}

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#endif
