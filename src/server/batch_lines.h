// The input of a batch: JSONL, a request a line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace plinth::server {

// Those that are not blank; they live as long as the text.
std::vector<std::string_view> lines_of(std::string_view text);

// Empty where the line has none, or is no object.
std::string custom_id_of(std::string_view line);

// The body of the request in a line, which must be for this endpoint.
Result<std::string> body_of(std::string_view line, const std::string& endpoint);

}  // namespace plinth::server
