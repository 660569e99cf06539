// The parts of a schema without parts of their own: strings and numbers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/json.h"
#include "core/result.h"
#include "grammar/expressions.h"

namespace plinth::grammar {

// Keeps the order of members: properties are written as the schema lists them.
using OrderedJson = nlohmann::ordered_json;

// "schema, #/properties/a: ..."; `at` is a JSON pointer.
template <typename... Args>
Error schema_error(const std::string& at, fmt::format_string<Args...> format, Args&&... args) {
  return invalid("schema, {}: {}", at, fmt::format(format, std::forward<Args>(args)...));
}

// A count such as minLength; `fallback` when it is missing.
Result<int64_t> count_of(const OrderedJson& schema, const char* keyword, int64_t fallback,
                         const std::string& at);

// One character of `ranges` as it stands in a JSON string: escaped where it must be.
ExprId json_character(Expressions& grammar, const std::vector<Range>& ranges);

// A JSON string, quotes included; `free_string` is the rule of any string.
Result<ExprId> string_schema(Expressions& grammar, const OrderedJson& schema, RuleId free_string,
                             const std::string& at);

// A JSON number; `whole`: an integer. `free_number` is the rule of any.
Result<ExprId> number_schema(Expressions& grammar, const OrderedJson& schema, bool whole,
                             RuleId free_number, const std::string& at);

// The content of JSON strings that match a regular expression of ECMA-262's basic kind.
Result<ExprId> pattern_content(Expressions& grammar, std::string_view pattern,
                               const std::string& at);

}  // namespace plinth::grammar
