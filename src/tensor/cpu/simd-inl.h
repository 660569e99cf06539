// What every kernel file starts from. Included once per Highway target.
#if defined(PLINTH_TENSOR_CPU_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PLINTH_TENSOR_CPU_SIMD_INL_H_
#undef PLINTH_TENSOR_CPU_SIMD_INL_H_
#else
#define PLINTH_TENSOR_CPU_SIMD_INL_H_
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace plinth::tensor::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::ScalableTag<float>;
using Vector = hn::Vec<Tag>;

inline constexpr Tag kTag;
inline constexpr int kLanes = HWY_LANES(float);  // 1, 4, 8 or 16

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
