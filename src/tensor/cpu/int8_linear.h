// y = x w^T with a quantised weight, in integers.
#pragma once

#include <span>

#include "tensor/ops.h"

namespace plinth::tensor::cpu {

// Rounds x to int8 by blocks of 32, so that a block of the weight costs one integer dot product and
// its codes never become floats.
//
// Whatever the number of rows and threads, an element of y is the same sum in the same order: block
// after block, the integer product times the weight's scale times x's. What the rounding costs in
// exactness stands in ops.h.
// A weight in panels must have int8_panel() rows in each.
// All weights are of one type.
void linear_by_int8(ConstMatrix x, std::span<const LinearOutput> outputs);

// Rows of a weight of a quantised type side by side, for which it is fastest.
int int8_panel(DType type);

}  // namespace plinth::tensor::cpu
