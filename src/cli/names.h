// Lists on the command line.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace plinth::cli {

// "a,b" as a and b; empty names are left out.
inline std::vector<std::string> split_names(const std::string& names) {
  std::vector<std::string> all;
  for (size_t at = 0; at < names.size();) {
    const size_t end = std::min(names.find(',', at), names.size());
    if (end > at) all.push_back(names.substr(at, end - at));
    at = end + 1;
  }
  return all;
}

}  // namespace plinth::cli
