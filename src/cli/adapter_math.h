// `plinth adapter merge` and `plinth adapter add`.
#pragma once

#include "cli/command.h"

namespace plinth::cli {

void add_adapter_math(Command& group, const Context& context);

}  // namespace plinth::cli
