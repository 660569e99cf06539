// JSON: nlohmann::json, parsed without exceptions and with a depth limit.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"
#include <nlohmann/json.hpp>

namespace plinth {

using Json = nlohmann::json;

// Parses hostile text: invalid UTF-8, trailing garbage and nesting beyond `depth_max` are errors.
// `what` names the text in the message.
Result<Json> parse_json(std::string_view text, std::string_view what, int depth_max = 64);

// One line, invalid UTF-8 replaced by U+FFFD: never fails.
std::string to_text(const Json& json);

// A member of an object by type; kInvalidArgument names the key and what was found.
Result<std::string> get_string(const Json& object, std::string_view key);
Result<int64_t> get_int(const Json& object, std::string_view key);
Result<double> get_number(const Json& object, std::string_view key);

// The same with a default for a missing or null member.
std::string string_or(const Json& object, std::string_view key, std::string_view fallback);
int64_t int_or(const Json& object, std::string_view key, int64_t fallback);
double number_or(const Json& object, std::string_view key, double fallback);
bool bool_or(const Json& object, std::string_view key, bool fallback);

}  // namespace plinth
