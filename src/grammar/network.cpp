// From the draft to the network: what can never end is left out, arcs that read nothing are
// followed until they read something, and left recursion is found.
#include "grammar/network.h"

#include <algorithm>
#include <string>
#include <utility>

#include "grammar/alike.h"
#include "grammar/draft.h"

namespace plinth::grammar {
namespace {

constexpr size_t kArcsMax = 3'000'000;  // of the network
constexpr size_t kClosureStepsMax = 20'000'000;

using Arc = Draft::Arc;
using Flags = std::vector<char>;

// Rules that can read nothing: spreads over arcs that read nothing; a call goes on once its rule is
// known to be such a rule.
Flags find_nullable(const Draft& draft) {
  const auto& rules = draft.rules();
  Flags nullable(rules.size()), reached(static_cast<size_t>(draft.size()));
  std::vector<RuleId> ends_at(reached.size(), -1);
  std::vector<std::vector<int32_t>> waiting(rules.size());  // nodes behind calls of the rule
  std::vector<int32_t> todo;
  const auto reach = [&](int32_t node) {
    if (!std::exchange(reached[static_cast<size_t>(node)], true)) todo.push_back(node);
  };
  for (size_t r = 0; r < rules.size(); ++r)
    if (rules[r].first >= 0) {
      ends_at[static_cast<size_t>(rules[r].last)] = static_cast<RuleId>(r);
      reach(rules[r].first);
    }
  while (!todo.empty()) {
    const int32_t node = todo.back();
    todo.pop_back();
    if (const RuleId rule = ends_at[static_cast<size_t>(node)]; rule >= 0) {
      nullable[static_cast<size_t>(rule)] = true;
      for (const int32_t next : waiting[static_cast<size_t>(rule)]) reach(next);
      waiting[static_cast<size_t>(rule)].clear();
    }
    draft.each_arc(node, [&](const Arc& arc) {
      if (arc.kind == Arc::Kind::kByte) return;
      if (arc.kind == Arc::Kind::kNothing || nullable[static_cast<size_t>(arc.rule)])
        reach(arc.to);
      else
        waiting[static_cast<size_t>(arc.rule)].push_back(arc.to);
    });
  }
  return nullable;
}

// Nodes from which the end of their rule can be reached: spreads backwards from the ends; over a
// call once the rule's first node is known to be such a node.
Flags find_alive(const Draft& draft) {
  const auto& rules = draft.rules();
  const auto size = static_cast<size_t>(draft.size());

  struct Back {
    int32_t from;
    RuleId rule;  // of a call, else -1
  };

  std::vector<int32_t> begin(size + 1);
  for (int32_t node = 0; node < draft.size(); ++node)
    draft.each_arc(node, [&](const Arc& arc) { ++begin[static_cast<size_t>(arc.to) + 1]; });
  for (size_t i = 0; i < size; ++i) begin[i + 1] += begin[i];
  std::vector<Back> back(static_cast<size_t>(begin[size]));
  std::vector<int32_t> filled(begin.begin(), begin.end() - 1);
  for (int32_t node = 0; node < draft.size(); ++node)
    draft.each_arc(node, [&](const Arc& arc) {
      const auto at = static_cast<size_t>(filled[static_cast<size_t>(arc.to)]++);
      back[at] = {node, arc.kind == Arc::Kind::kCall ? arc.rule : -1};
    });

  Flags alive(size), ends(rules.size());
  std::vector<RuleId> starts(size, -1);
  std::vector<std::vector<int32_t>> waiting(rules.size());  // nodes that need the rule to end
  std::vector<int32_t> todo;
  const auto reach = [&](int32_t node) {
    if (!std::exchange(alive[static_cast<size_t>(node)], true)) todo.push_back(node);
  };
  for (size_t r = 0; r < rules.size(); ++r)
    if (rules[r].first >= 0) {
      starts[static_cast<size_t>(rules[r].first)] = static_cast<RuleId>(r);
      reach(rules[r].last);
    }
  while (!todo.empty()) {
    const auto node = static_cast<size_t>(todo.back());
    todo.pop_back();
    if (const RuleId rule = starts[node]; rule >= 0) {
      ends[static_cast<size_t>(rule)] = true;
      for (const int32_t from : waiting[static_cast<size_t>(rule)]) reach(from);
      waiting[static_cast<size_t>(rule)].clear();
    }
    for (int32_t i = begin[node]; i < begin[node + 1]; ++i) {
      const Back& arc = back[static_cast<size_t>(i)];
      if (arc.rule < 0 || ends[static_cast<size_t>(arc.rule)])
        reach(arc.from);
      else
        waiting[static_cast<size_t>(arc.rule)].push_back(arc.from);
    }
  }
  return alive;
}

class Builder {
 public:
  Builder(const Expressions& grammar, const Draft& draft, RuleId root)
      : grammar_(grammar), draft_(draft), root_(root) {}

  Result<Network> build() {
    nullable_ = find_nullable(draft_);
    alive_ = find_alive(draft_);
    const auto& rules = draft_.rules();
    if (!alive(rules[static_cast<size_t>(root_)].first))
      return invalid("grammar: no text fits rule {}: it can never end", name(root_));
    is_end_.resize(alive_.size());
    for (const auto& ends : rules)
      if (ends.first >= 0) is_end_[static_cast<size_t>(ends.last)] = true;
    seen_.resize(alive_.size(), -1);
    number_.resize(alive_.size(), -1);

    network_.rules.resize(rules.size());
    for (size_t r = 0; r < rules.size(); ++r)
      if (rules[r].first >= 0 && alive(rules[r].first))
        network_.rules[r].start = number(rules[r].first);
    for (size_t i = 0; i < kept_.size(); ++i) {
      add_node(static_cast<int32_t>(i));
      if (network_.edges.size() + network_.calls.size() > kArcsMax || steps_ > kClosureStepsMax)
        return invalid("grammar: more than {} arcs: too many parts that may be left out", kArcsMax);
    }
    network_.nodes.push_back({.edges = static_cast<int32_t>(network_.edges.size()),
                              .calls = static_cast<int32_t>(network_.calls.size())});
    network_.start = network_.rules[static_cast<size_t>(root_)].start;
    PLINTH_TRY(rank_rules());
    find_classes();
    network_.alike = find_alike(network_, kAlikeBytes);
    return std::move(network_);
  }

 private:
  bool alive(int32_t node) const { return alive_[static_cast<size_t>(node)] != 0; }

  const std::string& name(RuleId rule) const {
    return grammar_.rules()[static_cast<size_t>(rule)].name;
  }

  // Nodes are kept when something that reads leads to them.
  int32_t number(int32_t node) {
    int32_t& number = number_[static_cast<size_t>(node)];
    if (number < 0) {
      number = static_cast<int32_t>(kept_.size());
      kept_.push_back(node);
    }
    return number;
  }

  // Everything that reads, from any node that can be reached by reading nothing.
  void add_node(int32_t index) {
    Network::Node out{.edges = static_cast<int32_t>(network_.edges.size()),
                      .calls = static_cast<int32_t>(network_.calls.size())};
    std::vector<int32_t> todo{kept_[static_cast<size_t>(index)]};
    const auto reach = [&](int32_t node) {
      ++steps_;
      if (alive(node) && std::exchange(seen_[static_cast<size_t>(node)], index) != index)
        todo.push_back(node);
    };
    seen_[static_cast<size_t>(todo[0])] = index;
    while (!todo.empty()) {
      const int32_t node = todo.back();
      todo.pop_back();
      if (is_end_[static_cast<size_t>(node)]) out.accepts = true;
      draft_.each_arc(node, [&](const Arc& arc) {
        if (arc.kind == Arc::Kind::kNothing) return reach(arc.to);
        if (!alive(arc.to)) return;
        if (arc.kind == Arc::Kind::kByte) {
          network_.edges.push_back({arc.byte.first, arc.byte.last, number(arc.to)});
          return;
        }
        const int32_t first = draft_.rules()[static_cast<size_t>(arc.rule)].first;
        if (alive(first)) network_.calls.push_back({arc.rule, number(arc.to)});
        if (nullable_[static_cast<size_t>(arc.rule)]) reach(arc.to);
      });
    }
    network_.nodes.push_back(out);
  }

  // Depth first over "its start calls": a rule met again on the way down is left-recursive. Ranks
  // are given on the way up, from the highest.
  Status rank_rules() {
    enum class Mark : uint8_t { kNew, kOpen, kDone };
    std::vector<Mark> marks(network_.rules.size(), Mark::kNew);

    struct Visit {
      RuleId rule;
      size_t next;
    };

    auto rank = static_cast<int32_t>(network_.rules.size());
    std::vector<Visit> way;
    for (size_t r = 0; r < network_.rules.size(); ++r) {
      if (network_.rules[r].start < 0 || marks[r] != Mark::kNew) continue;
      way.push_back({static_cast<RuleId>(r), 0});
      marks[r] = Mark::kOpen;
      while (!way.empty()) {
        const auto rule = static_cast<size_t>(way.back().rule);
        const auto calls = network_.calls_of(network_.rules[rule].start);
        if (way.back().next == calls.size()) {
          marks[rule] = Mark::kDone;
          network_.rules[rule].rank = --rank;
          way.pop_back();
          continue;
        }
        const RuleId called = calls[way.back().next++].rule;
        Mark& mark = marks[static_cast<size_t>(called)];
        if (mark == Mark::kOpen) return left_recursion(way, called);
        if (mark == Mark::kDone) continue;
        mark = Mark::kOpen;
        way.push_back({called, 0});
      }
    }
    return {};
  }

  template <typename Way>
  Error left_recursion(const Way& way, RuleId again) const {
    std::string path;
    size_t shown = 0;
    auto it = std::ranges::find(way, again, [](const auto& visit) { return visit.rule; });
    for (; it != way.end() && shown < 8; ++it, ++shown) path += name(it->rule) + " -> ";
    if (it != way.end()) path += "... -> ";
    return invalid("grammar: rule {} comes back to itself before it reads anything ({}{})",
                   name(again), path, name(again));
  }

  void find_classes() {
    std::array<bool, 257> begins{};
    for (const Edge& edge : network_.edges) {
      begins[edge.first] = true;
      begins[size_t{edge.last} + 1] = true;
      std::fill(network_.used.begin() + edge.first, network_.used.begin() + edge.last + 1, true);
    }
    int32_t current = 0;
    for (size_t byte = 0; byte < 256; ++byte) {
      if (byte > 0 && begins[byte]) ++current;
      network_.class_of[byte] = static_cast<uint8_t>(current);
    }
    network_.classes = current + 1;
  }

  const Expressions& grammar_;
  const Draft& draft_;
  RuleId root_;
  Flags nullable_, alive_, is_end_;
  std::vector<int32_t> seen_;    // by draft node: the network node whose closure met it last
  std::vector<int32_t> number_;  // by draft node
  std::vector<int32_t> kept_;    // by network node
  size_t steps_ = 0;
  Network network_;
};

}  // namespace

Result<Network> build_network(const Expressions& grammar, RuleId root) {
  PLINTH_TRY(const Draft draft, Draft::draw(grammar, root));
  return Builder(grammar, draft, root).build();
}

}  // namespace plinth::grammar
