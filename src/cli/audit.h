// What is changed on the command line goes into the audit log as well.
#pragma once

#include <string_view>

#include "cli/command.h"
#include "core/json.h"

namespace plinth::cli {

// Notes that this was done, by the user of this process. `detail` holds no secrets.
Status note_in_audit(const Context& context, std::string_view action, const Json& detail);

}  // namespace plinth::cli
