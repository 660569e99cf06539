#include "tensor/cpu/peak.h"

#include "tensor/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/cpu/peak.cpp"

#include <atomic>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tensor/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

// Two units with a latency of four or five cycles need ten sums at once; 12 of 16 registers hold
// them.
constexpr int kSums = 12;
constexpr int64_t kStepsOfRound = 1000;

double multiply_adds(int64_t rounds, float* out) {
  const Vector factor = hn::Set(kTag, 0.999f);
  const Vector addend = hn::Set(kTag, out[0]);
  Vector sums[kSums];
  for (auto& sum : sums) sum = addend;
  for (int64_t i = 0; i < rounds * kStepsOfRound; ++i) {
    for (auto& sum : sums) sum = hn::MulAdd(sum, factor, addend);
  }
  Vector total = hn::Zero(kTag);
  for (const auto& sum : sums) total = hn::Add(total, sum);
  out[0] = hn::GetLane(total);
  return 2.0 * kSums * kLanes * static_cast<double>(rounds * kStepsOfRound);
}

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace plinth::tensor::cpu {

HWY_EXPORT(multiply_adds);

double run_multiply_adds(int64_t rounds) {
  // Somebody has to read the sums, or they need not be computed.
  static std::atomic<float> last{1.0f};
  float value = last.load(std::memory_order_relaxed);
  const double operations = HWY_DYNAMIC_DISPATCH(multiply_adds)(rounds, &value);
  last.store(value > 1e30f ? 1.0f : value, std::memory_order_relaxed);
  return operations;
}

}  // namespace plinth::tensor::cpu
#endif
