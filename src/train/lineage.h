// RUN/lineage.json: what a result was made of, so that anybody can make it again.
#pragma once

#include <map>
#include <string>

#include "core/file.h"
#include "core/json.h"
#include "core/result.h"

namespace plinth::train {

// The recipe's identity: sha-256 over its "key = value" lines in order.
std::string recipe_digest(const std::map<std::string, std::string>& fields);

// "plinth 0.1.0"
std::string code_version();

// Writes `facts` with the recipe, its digest, the code's version and the time added.
Status write_lineage(const Path& run_dir, const std::map<std::string, std::string>& fields,
                     Json facts);

}  // namespace plinth::train
