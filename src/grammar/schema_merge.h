// Schemas that must hold at once, as one schema.
#pragma once

#include <string>

#include "core/result.h"
#include "grammar/schema_leaf.h"

namespace plinth::grammar {

// Titles and the like: they allow and forbid nothing.
bool is_annotation(const std::string& keyword);

// Adds what `more` asks for to `schema`; `at` is the place of `more`. Keywords of one of them stay,
// equal ones too; properties, required names, types and bounds are joined; anything else is
// refused.
Status merge_schema(OrderedJson& schema, const OrderedJson& more, const std::string& at);

}  // namespace plinth::grammar
