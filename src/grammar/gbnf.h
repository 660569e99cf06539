// GBNF, the grammar notation of llama.cpp: name ::= alternatives of sequences of "literals",
// [classes], names and (groups), each with *, +, ? or {m,n}. docs/formats/grammar.md has the whole.
#pragma once

#include <string_view>

#include "core/result.h"
#include "grammar/expressions.h"

namespace plinth::grammar {

// Adds the rules of the text and returns the one named `root`. Errors name line and column.
Result<RuleId> parse_gbnf(std::string_view gbnf, Expressions& grammar);

// The same for several texts over one set of rules: the rule named `name`.
Result<RuleId> parse_gbnf(std::string_view gbnf, std::string_view name, Expressions& grammar);

}  // namespace plinth::grammar
