// Bodies of multipart/form-data (RFC 7578): how clients upload files.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace plinth::server {

struct FormPart {
  std::string name = {};
  std::string filename = {};      // empty: a plain field
  std::string_view content = {};  // within the body
};

// At most 64 parts. kInvalidArgument when the type is another or the body is broken.
Result<std::vector<FormPart>> parse_multipart(std::string_view content_type, std::string_view body);

}  // namespace plinth::server
