// y = x w^T for few rows of x and a quantised weight, in integers.
#pragma once

#include "tensor/tensor.h"

namespace plinth::tensor::cpu {

// Rounds x to int8 by blocks of 32, so that a block of the weight costs one integer dot product and
// its codes never become floats. Reads every weight once, in order: bound by memory for one row of
// x. What the rounding costs in exactness stands in ops.h.
void linear_by_int8(ConstMatrix x, Weight w, Matrix y, bool accumulate);

}  // namespace plinth::tensor::cpu
