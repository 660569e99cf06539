// plinth bench refine: what the refinery reaches on labelled data (docs/performance.md).
#pragma once

#include "cli/command.h"

namespace plinth::cli {

// data: the folder with raw/ and pretrain/.
Status bench_refine(const Path& data, int64_t repeats, const Context& context);

}  // namespace plinth::cli
