#include "grammar/schema_merge.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace plinth::grammar {
namespace {

OrderedJson as_list(const OrderedJson& value) {
  return value.is_array() ? value : OrderedJson::array({value});
}

// A number is an integer too, where the other side asks for integers.
OrderedJson common_types(const OrderedJson& a, const OrderedJson& b) {
  OrderedJson common = OrderedJson::array();
  for (const OrderedJson& x : as_list(a))
    for (const OrderedJson& y : as_list(b)) {
      if (x == y || (x == "integer" && y == "number")) common.push_back(x);
      if (x == "number" && y == "integer") common.push_back(y);
    }
  return common;
}

Status merge_properties(OrderedJson& properties, const OrderedJson& more, const std::string& at) {
  for (const auto& [name, schema] : more.items()) {
    const auto known = properties.find(name);
    if (known != properties.end() && *known != schema)
      return schema_error(at, "property {} is described twice, differently", name);
    properties[name] = schema;
  }
  return {};
}

bool is_lower(std::string_view keyword) {
  return keyword == "minimum" || keyword == "exclusiveMinimum" || keyword == "minLength" ||
         keyword == "minItems";
}

bool is_upper(std::string_view keyword) {
  return keyword == "maximum" || keyword == "exclusiveMaximum" || keyword == "maxLength" ||
         keyword == "maxItems";
}

}  // namespace

bool is_annotation(const std::string& keyword) {
  static constexpr std::array<std::string_view, 14> kKnown{
      "title",    "description", "default",  "examples",  "example", "$schema",     "$id",
      "$comment", "deprecated",  "readOnly", "writeOnly", "$defs",   "definitions", "$anchor"};
  return std::ranges::find(kKnown, keyword) != kKnown.end() || keyword.starts_with("x-");
}

Status merge_schema(OrderedJson& schema, const OrderedJson& more, const std::string& at) {
  for (const auto& [keyword, value] : more.items()) {
    if (is_annotation(keyword)) continue;
    const auto known = schema.find(keyword);
    if (known == schema.end()) {
      schema[keyword] = value;
    } else if (*known == value) {
      continue;
    } else if (keyword == "properties" && known->is_object() && value.is_object()) {
      PLINTH_TRY(merge_properties(*known, value, at));
    } else if (keyword == "required" && known->is_array() && value.is_array()) {
      for (const OrderedJson& name : value)
        if (std::ranges::find(*known, name) == known->end()) known->push_back(name);
    } else if (keyword == "type") {
      *known = common_types(*known, value);
      if (known->empty()) return schema_error(at, "type: two types that exclude each other");
    } else if ((is_lower(keyword) || is_upper(keyword)) && known->is_number() &&
               value.is_number()) {
      if (is_lower(keyword) ? *known < value : value < *known) *known = value;
    } else if (keyword == "additionalProperties" && (value == true || *known == true)) {
      if (*known == true) *known = value;
    } else {
      return schema_error(at, "{} is asked for twice, differently: that is not supported", keyword);
    }
  }
  return {};
}

}  // namespace plinth::grammar
