// Templates from tokens to a Program, by recursive descent.
#pragma once

#include <string_view>

#include "core/result.h"
#include "text/jinja/ast.h"

namespace plinth::text::jinja {

// Errors name the line. Nesting is limited to 100 levels.
Result<Program> parse(std::string_view source);

}  // namespace plinth::text::jinja
