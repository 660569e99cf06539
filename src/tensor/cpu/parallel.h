// The compute pool without a heap allocation per loop.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>

#include "core/threads.h"

namespace plinth::tensor::cpu {

// body(begin, end) over disjoint ranges of [0, n), each at most `grain` long.
template <typename Body>
void parallel(int64_t n, int64_t grain, const Body& body) {
  const auto call = [&body](int64_t begin, int64_t end, int) { body(begin, end); };
  compute_pool().parallel_for(n, std::max<int64_t>(grain, 1), std::cref(call));
}

// Rows per range so that a range does about `work` element operations: below that, handing it to
// another thread costs more than doing it.
inline int64_t row_grain(int64_t cols, int64_t work = 16384) {
  return std::max<int64_t>(1, work / std::max<int64_t>(cols, 1));
}

}  // namespace plinth::tensor::cpu
