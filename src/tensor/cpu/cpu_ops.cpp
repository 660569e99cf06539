// The table of cpu_ops().
#include "tensor/cpu/linear.h"
#include "tensor/ops.h"

#include "tensor/cpu/simd.h"

#include <hwy/targets.h>

namespace plinth::tensor {

const Ops& cpu_ops() {
  static const Ops ops = [] {
    Ops t = ref_ops();
    t.name = "cpu";
    t.linear = cpu::linear;
    t.linear_dx = cpu::linear_dx;
    t.linear_dw = cpu::linear_dw;
    return t;
  }();
  return ops;
}

const char* simd_target() {
  // The best of what was compiled and what the machine has: the lowest bit.
  const int64_t targets = hwy::SupportedTargets() & HWY_TARGETS;
  return hwy::TargetName(targets & -targets);
}

}  // namespace plinth::tensor
