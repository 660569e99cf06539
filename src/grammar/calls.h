// Answers that call functions: what a model writes around the JSON of a call differs from family to
// family, the arguments follow each function's schema.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"
#include "grammar/expressions.h"

namespace plinth::grammar {

struct CallSpec {
  struct Function {
    std::string before = {};  // `{"name": "f", "arguments": `
    std::string schema = {};  // of the arguments
    std::string after = {};   // `}`
  };

  std::vector<Function> functions = {};
  std::string between = {};  // from one call to the next
  std::string after = {};    // behind the last
  int64_t calls_max = 1;     // 1 or more

  // Empty: the answer is calls from its first byte. Otherwise any text may come first, or instead,
  // and this, which that text does not contain, begins the calls. Its first character must not
  // occur in it again.
  std::string trigger = {};
  std::string after_trigger = {};  // between the trigger and the first call
  std::string text_schema = {};    // instead of any text, JSON of this schema; empty: any text
};

// Adds rules for the answers that the spec allows and returns the one for the whole. Errors name
// the function's number where its schema is at fault.
Result<RuleId> compile_calls(const CallSpec& spec, Expressions& grammar);

}  // namespace plinth::grammar
