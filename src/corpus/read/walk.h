// Finds the files under the inputs, in an order that does not depend on the file system.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/result.h"

namespace plinth::corpus {

struct InputFile {
  Path path;         // to open
  std::string name;  // relative to its input, '/' between parts: what the corpus remembers
  uint64_t bytes = 0;
  std::string error = {};  // a folder that cannot be looked into: why
};

// Regular files below each input, sorted by name; hidden ones (".x") and symbolic links to folders
// are left out. A folder that cannot be read is an entry with an error. With several inputs each
// name begins with its input's own name, and two inputs of one name are an error: ids come from
// names.
Result<std::vector<InputFile>> walk_inputs(std::span<const Path> inputs);

}  // namespace plinth::corpus
