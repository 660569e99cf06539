#include "grammar/draft.h"

#include <string>
#include <utility>

#include "core/check.h"

namespace plinth::grammar {
namespace {

constexpr size_t kNodesMax = 500'000;
constexpr size_t kArcsMax = 1'500'000;

}  // namespace

Result<Draft> Draft::draw(const Expressions& grammar, RuleId root) {
  Draft draft(grammar);
  draft.rules_.resize(grammar.rules().size());
  const auto want = [&](RuleId rule) {
    Ends& ends = draft.rules_[static_cast<size_t>(rule)];
    if (ends.first >= 0) return;
    ends.first = draft.node();
    draft.wanted_.push_back(rule);
  };
  want(root);
  while (!draft.wanted_.empty()) {
    const auto rule = static_cast<size_t>(draft.wanted_.back());
    draft.wanted_.pop_back();
    const size_t arcs = draft.arcs_.size();
    const int32_t last = draft.add(grammar.rules()[rule].body, draft.rules_[rule].first);
    draft.rules_[rule].last = last;
    if (draft.full())
      return invalid(
          "grammar: rule {} makes it too large: at most {} positions and {} arcs, "
          "repetitions written out",
          grammar.rules()[rule].name, kNodesMax, kArcsMax);
    for (size_t i = arcs; i < draft.arcs_.size(); ++i)
      if (draft.arcs_[i].kind == Arc::Kind::kCall) want(draft.arcs_[i].rule);
  }
  return draft;
}

bool Draft::full() const {
  return heads_.size() >= kNodesMax || arcs_.size() >= kArcsMax;
}

int32_t Draft::node() {
  heads_.push_back(-1);
  return size() - 1;
}

void Draft::arc(int32_t from, Arc arc) {
  int32_t& head = heads_[static_cast<size_t>(from)];
  arc.next = head;
  head = static_cast<int32_t>(arcs_.size());
  arcs_.push_back(arc);
}

// Draws the expression from the node `from` and returns the node behind it, from which no arc leads
// yet. No arc leads back to `from` either. Once the draft is full, nothing more is drawn.
int32_t Draft::add(ExprId id, int32_t from) {
  const Expr& expr = grammar_->expr(id);
  if (full()) return from;
  switch (expr.kind) {
    case Expr::Kind::kText: {
      for (const char c : expr.text) {
        const int32_t to = node();
        const auto byte = static_cast<uint8_t>(c);
        arc(from, {.kind = Arc::Kind::kByte, .byte = {byte, byte}, .to = to});
        from = to;
      }
      return from;
    }
    case Expr::Kind::kClass:
      return add_class(expr, from);
    case Expr::Kind::kSequence: {
      for (const ExprId part : expr.parts) from = add(part, from);
      return from;
    }
    case Expr::Kind::kChoice: {
      const int32_t end = node();
      for (const ExprId part : expr.parts) arc(add(part, from), {.to = end});
      return end;
    }
    case Expr::Kind::kRepeat:
      return add_repeat(expr, from);
    case Expr::Kind::kRule: {
      const int32_t to = node();
      arc(from, {.kind = Arc::Kind::kCall, .rule = expr.rule, .to = to});
      return to;
    }
  }
  return from;
}

// Characters whose last bytes come from the same ranges share the nodes of those bytes.
int32_t Draft::add_class(const Expr& expr, int32_t from) {
  const int32_t end = node();
  std::map<std::string, int32_t> behind;  // what is still to be read -> node
  behind[""] = end;
  for (const Range& range : expr.ranges)
    for (const ByteSequence& sequence : utf8_sequences(range)) {
      std::string rest;
      for (int i = sequence.size - 1; i >= 0; --i) {
        const ByteRange byte = sequence.bytes[static_cast<size_t>(i)];
        const int32_t to = behind.at(rest);
        rest.insert(rest.begin(), {static_cast<char>(byte.first), static_cast<char>(byte.last)});
        if (i == 0) {
          arc(from, {.kind = Arc::Kind::kByte, .byte = byte, .to = to});
        } else if (!behind.contains(rest)) {
          behind[rest] = node();
          arc(behind[rest], {.kind = Arc::Kind::kByte, .byte = byte, .to = to});
        }
      }
    }
  return end;
}

int32_t Draft::add_repeat(const Expr& expr, int32_t from) {
  const ExprId part = expr.parts[0];
  for (int64_t i = 0; i < expr.min && !full(); ++i) {
    const int32_t next = add(part, from);
    if (next == from) break;  // an empty text, however often
    from = next;
  }
  if (expr.max == expr.min) return from;
  if (expr.max == kUnbounded) {
    const int32_t loop = node();
    const int32_t end = node();
    arc(from, {.to = loop});
    arc(add(part, loop), {.to = loop});
    arc(loop, {.to = end});
    return end;
  }
  const int32_t end = node();
  for (int64_t i = expr.min; i < expr.max && !full(); ++i) {
    arc(from, {.to = end});
    from = add(part, from);
  }
  arc(from, {.to = end});
  return end;
}

}  // namespace plinth::grammar
