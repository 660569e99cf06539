// Cuts a template into tokens, with Jinja's whitespace control as chat templates use it
// (trim_blocks, lstrip_blocks, no trailing newline).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace plinth::text::jinja {

enum class TokenKind : uint8_t {
  kText,
  kOutputBegin,  // {{
  kOutputEnd,
  kBlockBegin,  // {%
  kBlockEnd,
  kName,
  kString,  // text: the value, escapes resolved
  kInt,
  kFloat,
  kOperator,  // text: the operator
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  int line = 0;
  std::string text;
};

// Errors name the line. The last token is kEnd.
// Source: https://jinja.palletsprojects.com/en/stable/templates/#whitespace-control
Result<std::vector<Token>> tokenize(std::string_view source);

}  // namespace plinth::text::jinja
