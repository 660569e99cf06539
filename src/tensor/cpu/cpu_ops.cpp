// The table of cpu_ops().
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/log.h"
#include "tensor/cpu/attention.h"
#include "tensor/cpu/layers.h"
#include "tensor/cpu/linear.h"
#include "tensor/cpu/low_rank.h"
#include "tensor/cpu/simd.h"
#include "tensor/cpu/training.h"
#include "tensor/ops.h"

namespace plinth::tensor {

namespace {

// PLINTH_SIMD names the best target that may be used: what another machine computes, and how fast,
// can be seen on this one. Better targets are lower bits. A name that is none changes nothing, and
// is said: before main() there is nobody to give an error to.
[[maybe_unused]] const bool limited = [] {
  const char* name = std::getenv("PLINTH_SIMD");
  if (name == nullptr || *name == 0) return false;
  for (int bit = 0; bit <= HWY_HIGHEST_TARGET_BIT_SCALAR; ++bit) {
    const int64_t target = int64_t{1} << bit;
    if ((HWY_TARGETS & target) == 0 || std::string_view(hwy::TargetName(target)) != name) continue;
    // Not DisableTargets(): every call of SupportedTargets() makes Highway 1.0 forget it.
    hwy::SetSupportedTargetsForTest(hwy::SupportedTargets() & ~(target - 1));
    return true;
  }
  std::string known;
  for (int bit = 0; bit <= HWY_HIGHEST_TARGET_BIT_SCALAR; ++bit)
    if (const int64_t target = int64_t{1} << bit; (HWY_TARGETS & target) != 0)
      known += std::string(known.empty() ? "" : ", ") + hwy::TargetName(target);
  log_warn("PLINTH_SIMD: {} is none of {}; nothing is limited", name, known);
  return false;
}();

}  // namespace

const Ops& cpu_ops() {
  static constexpr Ops ops{
      .name = "cpu",
      .panel = cpu::panel,
      .linear = cpu::linear,
      .linear_shared = cpu::linear_shared,
      .low_rank_panel = cpu::low_rank_panel,
      .low_rank = cpu::low_rank,
      .linear_dx = cpu::linear_dx,
      .linear_dw = cpu::linear_dw,
      .rms_norm = cpu::rms_norm,
      .rms_norm_backward = cpu::rms_norm_backward,
      .layer_norm = cpu::layer_norm,
      .layer_norm_backward = cpu::layer_norm_backward,
      .rope = cpu::rope,
      .swiglu = cpu::swiglu,
      .swiglu_backward = cpu::swiglu_backward,
      .gelu = cpu::gelu,
      .gelu_backward = cpu::gelu_backward,
      .attention = cpu::attention,
      .attention_backward = cpu::attention_backward,
      .store_kv = cpu::store_kv,
      .paged_attention = cpu::paged_attention,
      .embed = cpu::embed,
      .embed_backward = cpu::embed_backward,
      .cross_entropy = cpu::cross_entropy,
      .log_probability = cpu::log_probability,
      .exp_sums = cpu::exp_sums,
      .axpy = cpu::axpy,
      .sum_of_squares = cpu::sum_of_squares,
      .adamw = cpu::adamw,
  };
  return ops;
}

const char* simd_target() {
  // The best of what was compiled and what the machine has: the lowest bit.
  const int64_t targets = hwy::SupportedTargets() & HWY_TARGETS;
  return hwy::TargetName(targets & -targets);
}

}  // namespace plinth::tensor
