// y = x w^T by dot products, for few rows of x (decoding) or few rows of w (adapters).
#pragma once

#include <span>

#include "tensor/ops.h"
#include "tensor/tensor.h"

namespace plinth::tensor::cpu {

// Reads every weight once, in order. Bound by memory for one row of x, by arithmetic from about 16.
void linear_by_dots(ConstMatrix x, Weight w, Matrix y, bool accumulate);

// Several outputs of one x, as one parallel loop.
void linear_by_dots(ConstMatrix x, std::span<const LinearOutput> outputs);

}  // namespace plinth::tensor::cpu
