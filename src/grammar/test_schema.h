// Schemas for tests, and a validator of its own making that knows only what they use.
#pragma once

#include <array>
#include <regex>
#include <string>

#include "core/json.h"

namespace plinth::grammar {

inline constexpr std::array<const char*, 7> kSchemas{
    R"({"type":"object"})",
    R"({"type":"object","properties":{"name":{"type":"string"},"price":{"type":"number"},
        "count":{"type":"integer","minimum":-5,"maximum":120},"sold":{"type":"boolean"},
        "note":{"type":["string","null"]}},"required":["name","count"],"additionalProperties":false})",
    R"({"type":"array","items":{"type":"object","properties":{"id":{"type":"integer"},
        "tags":{"type":"array","items":{"enum":["a","ab","电梯",3]},"maxItems":3}},
        "required":["id","tags"]},"minItems":1,"maxItems":4})",
    R"({"type":"object","properties":{"code":{"type":"string","pattern":"^[A-Z]{2,3}-[0-9]+$"},
        "day":{"type":"string","format":"date"},"short":{"type":"string","minLength":2,"maxLength":5}},
        "required":["code","day","short"]})",
    R"({"type":"object","properties":{"v":{"type":"integer"},"next":{"anyOf":[{"$ref":"#"},{"type":"null"}]}},
        "required":["v","next"]})",
    R"({"type":"object","properties":{"a":{"type":"integer"}},"additionalProperties":{"type":"string"}})",
    R"({"anyOf":[{"type":"number","minimum":0,"maximum":10},{"const":{"x":[1,"y"]}},{"type":"null"}]})"};

// Characters of a valid UTF-8 text.
inline int64_t characters(const std::string& text) {
  int64_t n = 0;
  for (const char c : text) n += (static_cast<uint8_t>(c) & 0xC0) != 0x80 ? 1 : 0;
  return n;
}

inline bool is_type(const Json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  return type == "boolean" ? value.is_boolean() : value.is_null();
}

// Empty when the value is one of the schema; else what is wrong. References lead to `root`.
inline std::string violation(const Json& schema, const Json& value, const Json* root = nullptr) {
  if (root == nullptr) root = &schema;
  const auto has = [&](const char* keyword) { return schema.contains(keyword); };
  if (has("$ref")) return violation(*root, value, root);
  if (has("anyOf")) {
    for (const Json& one : schema["anyOf"])
      if (violation(one, value, root).empty()) return "";
    return "anyOf: " + value.dump();
  }
  if (has("const") && value != schema["const"]) return "const: " + value.dump();
  if (has("enum") && std::ranges::find(schema["enum"], value) == schema["enum"].end())
    return "enum: " + value.dump();
  if (has("type")) {
    const Json& type = schema["type"];
    bool fits = false;
    for (const Json& one : type.is_array() ? type : Json::array({type}))
      fits = fits || is_type(value, one.get<std::string>());
    if (!fits) return "type: " + value.dump();
  }
  if (value.is_number()) {
    if (has("minimum") && value < schema["minimum"]) return "minimum: " + value.dump();
    if (has("maximum") && value > schema["maximum"]) return "maximum: " + value.dump();
  }
  if (value.is_string()) {
    const auto text = value.get<std::string>();
    if (has("minLength") && characters(text) < schema["minLength"]) return "minLength: " + text;
    if (has("maxLength") && characters(text) > schema["maxLength"]) return "maxLength: " + text;
    if (has("pattern") &&
        !std::regex_search(text, std::regex(schema["pattern"].get<std::string>())))
      return "pattern: " + text;
    if (has("format") && !std::regex_match(text, std::regex("[0-9]{4}-[01][0-9]-[0-3][0-9]")))
      return "format: " + text;
  }
  if (value.is_array()) {
    if (has("minItems") && value.size() < schema["minItems"]) return "minItems";
    if (has("maxItems") && value.size() > schema["maxItems"]) return "maxItems";
    if (has("items"))
      for (const Json& item : value)
        if (auto wrong = violation(schema["items"], item, root); !wrong.empty()) return wrong;
  }
  if (value.is_object()) {
    for (const Json& name : schema.value("required", Json::array()))
      if (!value.contains(name.get<std::string>())) return "required " + name.dump();
    const Json properties = schema.value("properties", Json::object());
    const Json others = schema.value("additionalProperties", Json(true));
    for (const auto& [name, member] : value.items()) {
      const Json& of = properties.contains(name) ? properties[name] : others;
      if (of == false) return "additionalProperties: " + name;
      if (of.is_boolean()) continue;
      if (auto wrong = violation(of, member, root); !wrong.empty()) return name + ": " + wrong;
    }
  }
  return "";
}

}  // namespace plinth::grammar
