// One block of a quantised type to floats and back, any type by a table.
#pragma once

#include <cstdint>

#include "tensor/tensor.h"

namespace plinth::tensor {

// out, x: traits(type).block floats; block: traits(type).bytes bytes. The type is a quantised one.
void decode_block(DType type, const uint8_t* block, float* out);
void encode_block(DType type, const float* x, uint8_t* block);

}  // namespace plinth::tensor
