#pragma once

#include "cli/command.h"

namespace plinth::cli {

// Adds `serve` to `plinth bench`.
void add_bench_serve(Command& bench, const Context& context);

}  // namespace plinth::cli
