#include "tensor/cpu/peak.h"

#define PLINTH_SIMD_INT8
#include "tensor/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/cpu/int8_peak.cpp"

#include <atomic>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tensor/cpu/amx.h"
#include "tensor/cpu/int8_kernel-inl.h"
#include "tensor/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

double byte_products(int64_t, int32_t*) {
  return 0;
}

#else

constexpr int64_t kStepsOfRound = 1000;

double byte_products(int64_t rounds, int32_t* out) {
  const PanelWords d;
  // Two units with a latency of four cycles, or widened sums, which come from six registers of
  // codes and leave room for them among 16.
  constexpr int kSums = kByteDots ? 12 : 6;
  ByteVector codes[kSums];
  WordVector sums[kSums];
  for (int i = 0; i < kSums; ++i) {
    codes[i] = hn::Set(PanelBytes(), static_cast<uint8_t>(i + out[0] % 8));
    sums[i] = hn::Zero(d);
  }
  WordVector x = hn::Set(d, out[0]);
  for (int64_t step = 0; step < rounds * kStepsOfRound; ++step) {
#if HWY_TARGET == HWY_AVX3_DL
    for (int i = 0; i < kSums; ++i) sums[i] = dot_fours(codes[i], x, sums[i]);
#else
    const PairVector ones = hn::Set(PanelPairs(), int16_t{1});
    for (int i = 0; i < kSums; ++i)
      sums[i] = hn::Add(sums[i], dot_pairs(dot_twos<false>(codes[i], x), ones));
    x = hn::Add(x, hn::Set(d, 1));
#endif
  }
  WordVector total = hn::Zero(d);
  for (const auto& sum : sums) total = hn::Add(total, sum);
  out[0] = hn::GetLane(total);
  return 2.0 * 4 * kPanel * kSums * static_cast<double>(rounds * kStepsOfRound);
}

#endif

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace plinth::tensor::cpu {

HWY_EXPORT(byte_products);

double run_byte_products(int64_t rounds) {
  if (amx_usable()) return 0;
  // Somebody has to read the sums, or they need not be computed.
  static std::atomic<int32_t> last{3};
  int32_t value = last.load(std::memory_order_relaxed);
  const double operations = HWY_DYNAMIC_DISPATCH(byte_products)(rounds, &value);
  last.store(value & 0x7f, std::memory_order_relaxed);
  return operations;
}

}  // namespace plinth::tensor::cpu
#endif
