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
  std::string error = {};  // why it cannot be read, where that is known already
};

// What lies below each input, sorted by name; hidden ones (".x") are left out. What is no file (a
// link to nothing or to a folder, a pipe, a socket, a device) and a folder that cannot be read are
// entries with an error. With several inputs each
// name begins with its input's own name, and two inputs of one name are an error: ids come from
// names. Folders below the inputs that are one of `without`, or that a
// run of any rank writes for itself (its work, a part), are passed over.
Result<std::vector<InputFile>> walk_inputs(std::span<const Path> inputs,
                                           std::span<const Path> without = {});

}  // namespace plinth::corpus
