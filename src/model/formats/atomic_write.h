// A large file that appears whole or not at all.
#pragma once

#include <functional>

#include "core/file.h"
#include "core/result.h"

namespace plinth::model {

// Runs `write` on a file beside the target, makes it durable and renames it over the target; after
// an error the target is as it was.
Status write_atomically(const Path& path, const std::function<Status(OutputFile&)>& write);

}  // namespace plinth::model
