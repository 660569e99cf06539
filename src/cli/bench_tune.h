#pragma once

#include "cli/command.h"

namespace plinth::cli {

// Adds `tune` to `plinth bench`.
void add_bench_tune(Command& bench, const Context& context);

}  // namespace plinth::cli
