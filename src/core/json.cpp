#include "core/json.h"

#include <algorithm>

namespace plinth {
namespace {

// nlohmann recurses once per level, so deep input is refused before it reaches the parser.
bool deeper_than(std::string_view text, int depth_max) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > depth_max) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

const Json* find(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto it = object.find(key);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

// The library quotes all of the token that it stopped in, which may be a string of any length: the
// end of it says where.
std::string reason_of(const nlohmann::json::exception& error) {
  constexpr std::string_view kQuoted = "last read: '";
  constexpr size_t kBytesMax = 80;
  std::string text = error.what();
  const size_t found = text.find(kQuoted);
  if (found == text.npos) return text;
  const size_t begin = found + kQuoted.size();
  const size_t end = std::min(text.rfind("'; expected "), text.size() - 1);
  if (end < begin + kBytesMax) return text;
  size_t keep = end - kBytesMax;
  while (keep < end && (static_cast<unsigned char>(text[keep]) & 0xC0) == 0x80) ++keep;
  return text.replace(begin, keep - begin, "...");
}

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view what, int depth_max) {
  if (deeper_than(text, depth_max))
    return invalid("{}: JSON is nested deeper than {} levels", what, depth_max);
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::exception& e) {
    return invalid("{}: not valid JSON: {}", what, reason_of(e));
  }
}

std::string to_text(const Json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<std::string> get_string(const Json& object, std::string_view key) {
  const Json* member = find(object, key);
  if (member == nullptr) return invalid("'{}' is missing", key);
  if (!member->is_string()) return invalid("'{}' is {}, not a string", key, member->type_name());
  return member->get<std::string>();
}

Result<int64_t> get_int(const Json& object, std::string_view key) {
  const Json* member = find(object, key);
  if (member == nullptr) return invalid("'{}' is missing", key);
  if (!member->is_number_integer())
    return invalid("'{}' is {}, not an integer", key, member->type_name());
  return member->get<int64_t>();
}

Result<double> get_number(const Json& object, std::string_view key) {
  const Json* member = find(object, key);
  if (member == nullptr) return invalid("'{}' is missing", key);
  if (!member->is_number()) return invalid("'{}' is {}, not a number", key, member->type_name());
  return member->get<double>();
}

std::string string_or(const Json& object, std::string_view key, std::string_view fallback) {
  const Json* member = find(object, key);
  return member != nullptr && member->is_string() ? member->get<std::string>()
                                                  : std::string(fallback);
}

int64_t int_or(const Json& object, std::string_view key, int64_t fallback) {
  const Json* member = find(object, key);
  return member != nullptr && member->is_number_integer() ? member->get<int64_t>() : fallback;
}

double number_or(const Json& object, std::string_view key, double fallback) {
  const Json* member = find(object, key);
  return member != nullptr && member->is_number() ? member->get<double>() : fallback;
}

bool bool_or(const Json& object, std::string_view key, bool fallback) {
  const Json* member = find(object, key);
  return member != nullptr && member->is_boolean() ? member->get<bool>() : fallback;
}

}  // namespace plinth
