#include "tensor/ops.h"

#include <cstdlib>
#include <string_view>

namespace plinth::tensor {

const Ops& default_ops() {
  static const Ops& chosen = [&]() -> const Ops& {
    const char* device = std::getenv("PLINTH_DEVICE");
    return device != nullptr && std::string_view(device) == "ref" ? ref_ops() : cpu_ops();
  }();
  return chosen;
}

}  // namespace plinth::tensor
