// The adapters' product of cpu_ops(); contract in ops.h.
#pragma once

#include <span>

#include "tensor/ops.h"

namespace plinth::tensor::cpu {

int low_rank_panel();
void low_rank(ConstMatrix x, std::span<const LowRankSegment> segments);

}  // namespace plinth::tensor::cpu
