// A grammar as expressions: what the GBNF parser and the schema compiler build, and what
// build_network() turns into an automaton.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace plinth::grammar {

using ExprId = int32_t;
using RuleId = int32_t;

inline constexpr int64_t kUnbounded = -1;

// Code points first..last.
struct Range {
  uint32_t first = 0;
  uint32_t last = 0;
};

// Sorted, apart from each other, without surrogates.
std::vector<Range> normal_ranges(std::vector<Range> ranges);
// All code points that normal `ranges` do not have.
std::vector<Range> other_ranges(const std::vector<Range>& ranges);

struct Expr {
  enum class Kind : uint8_t { kText, kClass, kSequence, kChoice, kRepeat, kRule };

  Kind kind = Kind::kText;
  std::string text = {};           // kText: bytes
  std::vector<Range> ranges = {};  // kClass: one character of these, normal
  std::vector<ExprId> parts = {};  // kSequence, kChoice (of none: nothing matches), kRepeat (one)
  int64_t min = 0;                 // kRepeat
  int64_t max = kUnbounded;
  RuleId rule = 0;  // kRule
};

struct Rule {
  std::string name;  // as errors say it
  ExprId body = -1;
};

// Expressions may be used in several places: each use is a copy of its own in the automaton.
class Expressions {
 public:
  ExprId text(std::string bytes) {
    return add({.kind = Expr::Kind::kText, .text = std::move(bytes)});
  }

  ExprId one_of(std::vector<Range> ranges) {
    return add({.kind = Expr::Kind::kClass, .ranges = normal_ranges(std::move(ranges))});
  }

  ExprId sequence(std::vector<ExprId> parts) {
    return add({.kind = Expr::Kind::kSequence, .parts = std::move(parts)});
  }

  ExprId choice(std::vector<ExprId> parts) {
    return add({.kind = Expr::Kind::kChoice, .parts = std::move(parts)});
  }

  ExprId repeat(ExprId part, int64_t min, int64_t max) {
    return add({.kind = Expr::Kind::kRepeat, .parts = {part}, .min = min, .max = max});
  }

  ExprId optional(ExprId part) { return repeat(part, 0, 1); }

  ExprId rule(RuleId id) { return add({.kind = Expr::Kind::kRule, .rule = id}); }

  RuleId add_rule(std::string name, ExprId body = -1) {
    rules_.push_back({std::move(name), body});
    return static_cast<RuleId>(rules_.size()) - 1;
  }

  void define(RuleId id, ExprId body) { rules_[static_cast<size_t>(id)].body = body; }

  const Expr& expr(ExprId id) const { return exprs_[static_cast<size_t>(id)]; }

  const std::vector<Rule>& rules() const { return rules_; }

 private:
  ExprId add(Expr expr) {
    exprs_.push_back(std::move(expr));
    return static_cast<ExprId>(exprs_.size()) - 1;
  }

  std::vector<Expr> exprs_;
  std::vector<Rule> rules_;
};

}  // namespace plinth::grammar
