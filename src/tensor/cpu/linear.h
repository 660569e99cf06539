// Linear layers of cpu_ops(); contracts in ops.h.
#pragma once

#include "tensor/tensor.h"

namespace plinth::tensor::cpu {

int panel(DType type);
void linear(ConstMatrix x, Weight w, Matrix y, bool accumulate);
// linear of exact_ops(): a quantised weight is decoded, x is not rounded.
void linear_exact(ConstMatrix x, Weight w, Matrix y, bool accumulate);
void linear_dx(ConstMatrix dy, Weight w, Matrix dx, bool accumulate);
void linear_dw(ConstMatrix dy, ConstMatrix x, Matrix dw, bool accumulate);

}  // namespace plinth::tensor::cpu
