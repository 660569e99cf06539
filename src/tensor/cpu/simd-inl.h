// What every kernel file starts from. Included once per Highway target.
#if defined(PLINTH_TENSOR_CPU_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PLINTH_TENSOR_CPU_SIMD_INL_H_
#undef PLINTH_TENSOR_CPU_SIMD_INL_H_
#else
#define PLINTH_TENSOR_CPU_SIMD_INL_H_
#endif

#include <cstdint>
#include <cstring>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::ScalableTag<float>;
using Vector = hn::Vec<Tag>;

inline constexpr Tag kTag;
inline constexpr int kLanes = HWY_LANES(float);  // 1, 4, 8 or 16

// A whole vector of a row, or what is left of one at its end.
struct Whole {};

struct Part {
  int64_t n;  // 0 < n < kLanes
};

HWY_INLINE Vector load(const float* p, Whole) {
  return hn::LoadU(kTag, p);
}

// Lanes past the part are zero.
HWY_INLINE Vector load(const float* p, Part part) {
  HWY_ALIGN float lanes[kLanes] = {};
  std::memcpy(lanes, p, static_cast<size_t>(part.n) * sizeof(float));
  return hn::Load(kTag, lanes);
}

HWY_INLINE void store(Vector v, float* p, Whole) {
  hn::StoreU(v, kTag, p);
}

HWY_INLINE void store(Vector v, float* p, Part part) {
  HWY_ALIGN float lanes[kLanes];
  hn::Store(v, kTag, lanes);
  std::memcpy(p, lanes, static_cast<size_t>(part.n) * sizeof(float));
}

// body(i, whole or part) over [0, n) in steps of a vector.
template <class Body>
HWY_INLINE void for_lanes(int64_t n, const Body& body) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) body(i, Whole{});
  if (i < n) body(i, Part{n - i});
}

HWY_INLINE float sum_of_lanes(Vector v) {
  return hn::GetLane(hn::SumOfLanes(kTag, v));
}

// Two sums of a row at once hide the latency of one.
template <class Term>
HWY_INLINE float sum_over(int64_t n, const Term& term) {
  Vector even = hn::Zero(kTag);
  Vector odd = hn::Zero(kTag);
  int64_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    even = term(i, Whole{}, even);
    odd = term(i + kLanes, Whole{}, odd);
  }
  if (i + kLanes <= n) {
    even = term(i, Whole{}, even);
    i += kLanes;
  }
  if (i < n) odd = term(i, Part{n - i}, odd);
  return sum_of_lanes(hn::Add(even, odd));
}

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#endif
