// One tensor of a weight file, already checked against the file's size: what the GGUF and the
// safetensors readers have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace plinth::model {

struct StoredTensor {
  std::string name;
  tensor::DType type = tensor::DType::kF32;
  std::vector<int64_t> shape;        // outermost first, as PyTorch prints it
  std::span<const std::byte> bytes;  // inside the mapped file, not necessarily aligned
};

}  // namespace plinth::model
