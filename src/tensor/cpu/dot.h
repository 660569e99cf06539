// y = x w^T by dot products, for few rows of x (decoding) or few rows of w (adapters).
#pragma once

#include "tensor/tensor.h"

namespace plinth::tensor::cpu {

// Reads every weight once, in order. Bound by memory for one row of x, by arithmetic from about 16.
void linear_by_dots(ConstMatrix x, Weight w, Matrix y, bool accumulate);

}  // namespace plinth::tensor::cpu
