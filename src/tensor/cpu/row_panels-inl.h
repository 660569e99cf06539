// Products of any number of rows with one packed panel, where a row's result must not depend on how
// many others there are. Included once per Highway target.
#if defined(PLINTH_TENSOR_CPU_ROW_PANELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PLINTH_TENSOR_CPU_ROW_PANELS_INL_H_
#undef PLINTH_TENSOR_CPU_ROW_PANELS_INL_H_
#else
#define PLINTH_TENSOR_CPU_ROW_PANELS_INL_H_
#endif

#include <cstdint>

#include <hwy/highway.h>

#include "tensor/cpu/gemm_kernel-inl.h"
#include "tensor/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

// What a product has to fetch beside its own factors, a little at each step of depth: nothing.
struct FetchNothing {
  void operator()() const {}
};

// c [kRows, kNr] (+)= a [kRows, depth] . b [depth, kNr]. Each element is one chain of multiply-adds
// in the order of depth, whatever kRows. The loads are those of multiply_tile. kStep: floats from
// one row of b to the next. fetch() is called at each step of depth.
template <int kRows, int kStep = kNr, class Fetch = FetchNothing>
HWY_INLINE void multiply_rows(const float* HWY_RESTRICT a, int64_t a_stride,
                              const float* HWY_RESTRICT b, int64_t depth, float* HWY_RESTRICT c,
                              int64_t c_stride, bool add, Fetch fetch = {}) {
  Vector sum[kRows][2];
  HWY_UNROLL(12)
  for (int i = 0; i < kRows; ++i) sum[i][0] = sum[i][1] = hn::Zero(kTag);
  constexpr int kGroups = (kRows + 2) / 3;
  const float* HWY_RESTRICT group[kGroups];
  HWY_UNROLL(4)
  for (int g = 0; g < kGroups; ++g) group[g] = a + 3 * g * a_stride;
  for (int64_t p = 0; p < depth; ++p) {
    const Vector b0 = hn::LoadU(kTag, b);
    const Vector b1 = hn::LoadU(kTag, b + kLanes);
    b += kStep;
    fetch();
    HWY_UNROLL(12)
    for (int i = 0; i < kRows; ++i) {
      const Vector ai = hn::Set(kTag, group[i / 3][i % 3 * a_stride]);
      sum[i][0] = hn::MulAdd(ai, b0, sum[i][0]);
      sum[i][1] = hn::MulAdd(ai, b1, sum[i][1]);
    }
    HWY_UNROLL(4)
    for (int g = 0; g < kGroups; ++g) ++group[g];
  }
  HWY_UNROLL(12)
  for (int i = 0; i < kRows; ++i) {
    float* out = c + i * c_stride;
    for (int half = 0; half < 2; ++half, out += kLanes)
      hn::StoreU(add ? hn::Add(sum[i][half], hn::LoadU(kTag, out)) : sum[i][half], kTag, out);
  }
}

template <int kRows, int kStep, class Fetch>
HWY_INLINE void multiply_exactly(int64_t rows, const float* a, int64_t a_stride, const float* b,
                                 int64_t depth, float* c, int64_t c_stride, bool add, Fetch fetch) {
  if (rows == kRows)
    return multiply_rows<kRows, kStep>(a, a_stride, b, depth, c, c_stride, add, fetch);
  if constexpr (kRows > 1)
    multiply_exactly<kRows - 1, kStep>(rows, a, a_stride, b, depth, c, c_stride, add, fetch);
}

// The same for any number of rows, in tiles as equal as can be.
template <int kStep = kNr, class Fetch = FetchNothing>
HWY_INLINE void multiply_panel(int64_t rows, const float* a, int64_t a_stride, const float* b,
                               int64_t depth, float* c, int64_t c_stride, bool add,
                               Fetch fetch = {}) {
  const int64_t tiles = (rows + kMr - 1) / kMr;
  for (int64_t t = 0; t < tiles; ++t) {
    const int64_t begin = rows * t / tiles;
    multiply_exactly<kMr, kStep>(rows * (t + 1) / tiles - begin, a + begin * a_stride, a_stride, b,
                                 depth, c + begin * c_stride, c_stride, add, fetch);
  }
}

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#endif
