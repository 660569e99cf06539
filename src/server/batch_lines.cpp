#include "server/batch_lines.h"

#include <algorithm>

#include "core/json.h"

namespace plinth::server {

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) lines.push_back(line);
    at = end + 1;
  }
  return lines;
}

std::string custom_id_of(std::string_view line) {
  const auto json = parse_json(line, "line");
  return json && json->is_object() ? string_or(*json, "custom_id", "") : "";
}

Result<std::string> body_of(std::string_view line, const std::string& endpoint) {
  PLINTH_TRY(const Json json, parse_json(line, "line"));
  if (!json.is_object() || string_or(json, "custom_id", "").empty())
    return invalid("line: an object with a custom_id is needed");
  if (string_or(json, "method", "") != "POST") return invalid("line: method: POST is needed");
  if (string_or(json, "url", "") != endpoint)
    return invalid("line: url: the batch's endpoint, {}, is needed", endpoint);
  const auto body = json.find("body");
  if (body == json.end() || !body->is_object()) return invalid("line: body: an object is needed");
  if (body->contains("stream") && (*body)["stream"] != false)
    return invalid("line: stream: answers of batches are not streamed");
  return to_text(*body);
}

}  // namespace plinth::server
