#include "tensor/ops.h"

#include <cstdlib>
#include <string_view>

#include "tensor/cpu/linear.h"

namespace plinth::tensor {

const Ops& default_ops() {
  static const Ops& chosen = [&]() -> const Ops& {
    const char* device = std::getenv("PLINTH_DEVICE");
    return device != nullptr && std::string_view(device) == "ref" ? ref_ops() : cpu_ops();
  }();
  return chosen;
}

const Ops& exact_ops() {
  static const Ops ops = [] {
    Ops table = default_ops();
    if (table.linear == cpu::linear) {
      table.linear = cpu::linear_exact;
      table.linear_shared = cpu::linear_exact_shared;
    }
    return table;
  }();
  return ops;
}

}  // namespace plinth::tensor
