// The first form of an automaton: Thompson's construction, with arcs that read nothing. Only rules
// that the root can reach are drawn.
// Source: Thompson, "Regular Expression Search Algorithm", CACM 11(6), 1968.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "core/result.h"
#include "grammar/expressions.h"
#include "grammar/utf8_ranges.h"

namespace plinth::grammar {

class Draft {
 public:
  struct Arc {
    enum class Kind : uint8_t { kNothing, kByte, kCall };

    Kind kind = Kind::kNothing;
    ByteRange byte = {};
    RuleId rule = -1;
    int32_t to = -1;
    int32_t next = -1;  // the next arc of the same node
  };

  // A rule from its first node to the node where it ends; -1: not drawn.
  struct Ends {
    int32_t first = -1;
    int32_t last = -1;
  };

  static Result<Draft> draw(const Expressions& grammar, RuleId root);

  int32_t size() const { return static_cast<int32_t>(heads_.size()); }

  const std::vector<Ends>& rules() const { return rules_; }

  template <typename F>
  void each_arc(int32_t node, F what) const {
    for (int32_t a = heads_[static_cast<size_t>(node)]; a >= 0;
         a = arcs_[static_cast<size_t>(a)].next)
      what(arcs_[static_cast<size_t>(a)]);
  }

 private:
  explicit Draft(const Expressions& grammar) : grammar_(&grammar) {}

  int32_t node();
  void arc(int32_t from, Arc arc);
  int32_t add(ExprId id, int32_t from);
  int32_t add_class(const Expr& expr, int32_t from);
  int32_t add_repeat(const Expr& expr, int32_t from);
  bool full() const;

  const Expressions* grammar_;  // while drawing
  std::vector<int32_t> heads_;  // by node: its first arc
  std::vector<Arc> arcs_;
  std::vector<Ends> rules_;
  std::vector<RuleId> wanted_;  // rules to draw yet
};

}  // namespace plinth::grammar
