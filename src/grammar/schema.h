// JSON Schema to grammar. What is understood is listed in grammar.h and docs/formats/grammar.md.
#pragma once

#include <string_view>

#include "core/result.h"
#include "grammar/expressions.h"

namespace plinth::grammar {

// Adds rules for the JSON texts that the schema allows and returns the one for the whole. Errors
// name the keyword at fault and the JSON pointer of its schema.
Result<RuleId> compile_schema(std::string_view schema, Expressions& grammar);

}  // namespace plinth::grammar
