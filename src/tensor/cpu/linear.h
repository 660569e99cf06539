// Linear layers of cpu_ops(); contracts in ops.h.
#pragma once

#include <span>

#include "tensor/ops.h"

namespace plinth::tensor::cpu {

int panel(DType type);
void linear(ConstMatrix x, Weight w, Matrix y, bool accumulate);
void linear_shared(ConstMatrix x, std::span<const LinearOutput> outputs);
// linear of exact_ops(): a quantised weight is decoded, x is not rounded.
void linear_exact(ConstMatrix x, Weight w, Matrix y, bool accumulate);
void linear_exact_shared(ConstMatrix x, std::span<const LinearOutput> outputs);
void linear_dx(ConstMatrix dy, Weight w, Matrix dx, bool accumulate);
void linear_dw(ConstMatrix dy, ConstMatrix x, Matrix dw, bool accumulate);

}  // namespace plinth::tensor::cpu
