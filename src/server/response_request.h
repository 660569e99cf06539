// The body of POST /v1/responses, checked, and said again as a chat request: the two differ in form
// only. What would need a memory of earlier responses (store, previous_response_id) is refused.
#pragma once

#include <string>
#include <string_view>

#include "core/json.h"
#include "core/result.h"
#include "server/chat_request.h"

namespace plinth::server {

struct ResponseRequest {
  ChatRequest chat = {};
  // What the answer repeats of the request: instructions, tools, tool_choice, temperature, ...
  Json echo = {};
};

// On an error `param` is the field at fault in the client's own words ("input[2]", "text.format").
Result<ResponseRequest> parse_response_request(std::string_view body, std::string& param);

}  // namespace plinth::server
