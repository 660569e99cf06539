// `plinth data show`: what a base will learn from a file, token by token.
#pragma once

#include "cli/command.h"

namespace plinth::cli {

void add_data_show(Command& group, const Context& context);

}  // namespace plinth::cli
