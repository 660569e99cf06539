// The path of a request target.
#pragma once

#include <string>
#include <string_view>

namespace plinth::server {

// Cuts off the query and turns %41 into A. A broken escape stays as it is: no route has such a
// path.
std::string decode_path(std::string_view target);

}  // namespace plinth::server
