// Runs a parsed template.
#pragma once

#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "text/jinja/builtins.h"
#include "text/jinja/value.h"

namespace plinth::text::jinja {

struct Limits {
  size_t output_bytes = size_t{16} << 20;
  size_t budget = size_t{128} << 20;  // of the Heap: bytes made plus 32 a node evaluated
};

// Renders once. `globals` are the names the template starts with; their values live in `heap`.
// Errors name the line. Scopes are Jinja's: a loop body and a macro have their own, an if has none.
Result<std::string> render(const Program& program, Map globals, Heap& heap, const Clock& clock,
                           const Limits& limits);

}  // namespace plinth::text::jinja
