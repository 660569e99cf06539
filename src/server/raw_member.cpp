#include "server/raw_member.h"

#include <string>

#include "core/json.h"

namespace plinth::server {
namespace {

// Behind the string that begins at `at`.
size_t string_end(std::string_view text, size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at)
    if (text[at] == '\\') ++at;
  return at + 1;
}

// Behind the value that begins at `at`: the next , or closing bracket on its own level.
size_t value_end(std::string_view text, size_t at) {
  for (int depth = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"') {
      at = string_end(text, at) - 1;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (depth == 0 && (c == ',' || c == '}')) {
      break;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return at;
}

}  // namespace

std::string_view raw_member(std::string_view object, std::string_view key) {
  std::string_view found;
  size_t at = object.find('{');
  while (at < object.size()) {
    const size_t begin = object.find_first_of("\"}", at);
    if (begin == object.npos || object[begin] == '}') break;
    const size_t end = string_end(object, begin);
    const auto name = parse_json(object.substr(begin, end - begin), "key");
    const size_t value = object.find(':', end) + 1;
    at = value_end(object, value);
    if (name && *name == key) found = object.substr(value, at - value);
  }
  return found;
}

}  // namespace plinth::server
