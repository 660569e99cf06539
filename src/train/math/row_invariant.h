// Operations whose result for a row does not depend on which rows it is computed with. So adapters
// that share a batch learn what each would learn alone, bit for bit, and a run may be spread over
// processes, or go on with others, without a trace.
#pragma once

#include "tensor/ops.h"

namespace plinth::train {

// exact_ops() with products that take at least kRowsTogether rows at a time: few rows are filled up
// with zeros. All other operations of the tape compute each row, or each segment, for itself.
// linear_dw sums over rows and is as it was.
const tensor::Ops& row_invariant_ops();

// With fewer rows a product may choose another kernel, which adds in another order.
inline constexpr int64_t kRowsTogether = 32;

}  // namespace plinth::train
