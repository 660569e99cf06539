// plinth bench refine: what the refinery reaches on labelled data (docs/performance.md).
#pragma once

#include "cli/command.h"

namespace plinth::cli {

// Adds `refine` to `plinth bench`.
void add_bench_refine(Command& bench, const Context& context);

}  // namespace plinth::cli
