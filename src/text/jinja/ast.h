// A parsed template: expressions and statements in two arrays that refer to each other by index, so
// that neither copying nor destroying a deeply nested template recurses.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace plinth::text::jinja {

using ExprId = int32_t;
using StmtId = int32_t;
inline constexpr int32_t kAbsent = -1;

enum class ExprKind : uint8_t {
  kNone,
  kBool,       // integer: 0 or 1
  kInt,        // integer
  kFloat,      // number
  kString,     // text
  kName,       // text
  kList,       // children
  kDict,       // children: key, value, key, value ...
  kAttribute,  // children[0].text
  kSubscript,  // children[0][children[1]]
  kSlice,      // children: object, start, stop, step; kAbsent where left out
  kCall,       // children[0](children[1...], named...)
  kFilter,     // children[0] | text(children[1...], named...)
  kTest,       // children[0] is text(children[1...])
  kNot,
  kNegate,
  kAnd,
  kOr,
  kBinary,     // text: + - * / // % ** ~ == != < <= > >= in
  kCondition,  // children[0] if children[1] else children[2]
  kCaptured,   // what the block that is being filtered wrote
};

struct Expr {
  ExprKind kind = ExprKind::kNone;
  int line = 0;
  std::string text{};
  int64_t integer = 0;
  double number = 0;
  std::vector<ExprId> children{};
  std::vector<std::pair<std::string, ExprId>> named{};
};

enum class StmtKind : uint8_t {
  kText,
  kOutput,
  kIf,
  kFor,
  kSet,       // names = expr; with `attribute`, names[0].attribute = expr
  kSetBlock,  // names[0] = the text that body renders, through the filters in `expr` if any
  kMacro,
  kFilterBlock,
  kBreak,
  kContinue,
  kGroup,  // the body as it is ({% generation %})
};

using Block = std::vector<StmtId>;

struct Branch {
  ExprId condition = kAbsent;
  Block body{};
};

struct Stmt {
  StmtKind kind = StmtKind::kText;
  int line = 0;
  std::string text{};                // kText: what to write; kMacro: its name
  std::string attribute{};           // kSet
  std::vector<std::string> names{};  // targets or parameters
  std::vector<ExprId> defaults{};    // kMacro: one per parameter
  ExprId expr = kAbsent;             // kOutput, kSet; kFor: what is iterated
  ExprId condition = kAbsent;        // kFor ... if
  std::vector<Branch> branches{};    // kIf
  Block body{};
  Block otherwise{};  // else of kIf and kFor
};

struct Program {
  std::vector<Expr> exprs{};
  std::vector<Stmt> stmts{};
  Block root{};
};

}  // namespace plinth::text::jinja
