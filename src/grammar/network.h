// The automaton of a grammar, as it is stored: one nondeterministic network of bytes and calls for
// each rule. Bytes lead from node to node; a call reads a text of another rule on the way. No arc
// reads nothing, and from every node the end of its rule can be reached.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "core/result.h"
#include "grammar/expressions.h"

namespace plinth::grammar {

// A byte of first..last leads to the node `to`.
struct Edge {
  uint8_t first = 0;
  uint8_t last = 0;
  int32_t to = 0;
};

// Some text of the rule, one byte or more, leads to the node `to`.
struct Call {
  int32_t rule = 0;
  int32_t to = 0;
};

// Tokens are looked at in ranges of their lengths: up to 8 bytes, 16, 32, and the rest.
inline constexpr std::array<int, 3> kAlikeBytes = {8, 16, 32};

struct Network {
  struct Node {
    int32_t edges = 0;     // the first of its edges; they end where the next node's begin
    int32_t calls = 0;     // likewise
    bool accepts = false;  // the rule may end here

    bool operator==(const Node&) const = default;
  };

  struct RuleInfo {
    int32_t start = -1;  // node; -1: nothing uses the rule
    // A rule whose start calls another has the smaller rank: no rule calls itself before a byte.
    int32_t rank = 0;
  };

  std::vector<Node> nodes;  // and one behind the last
  std::vector<Edge> edges;
  std::vector<Call> calls;
  std::vector<RuleInfo> rules;
  int32_t start = -1;  // of the root rule; it may accept (an empty text)

  // Bytes of one class are treated alike everywhere.
  std::array<uint8_t, 256> class_of{};
  int32_t classes = 0;
  std::array<bool, 256> used{};  // bytes that some edge reads

  // By length of kAlikeBytes and node: the first node that is alike up to it (alike.h).
  std::vector<std::vector<int32_t>> alike;

  std::span<const Edge> edges_of(int32_t node) const {
    const auto i = static_cast<size_t>(node);
    return {edges.data() + nodes[i].edges, edges.data() + nodes[i + 1].edges};
  }

  std::span<const Call> calls_of(int32_t node) const {
    const auto i = static_cast<size_t>(node);
    return {calls.data() + nodes[i].calls, calls.data() + nodes[i + 1].calls};
  }

  bool accepts(int32_t node) const { return nodes[static_cast<size_t>(node)].accepts; }

  // Nothing can follow in the node's rule: a call that leads here need not come back.
  bool ends(int32_t node) const {
    return accepts(node) && edges_of(node).empty() && calls_of(node).empty();
  }
};

// kInvalidArgument: too large, a rule that comes back to itself without reading a byte, or a root
// that can never end.
Result<Network> build_network(const Expressions& grammar, RuleId root);

}  // namespace plinth::grammar
