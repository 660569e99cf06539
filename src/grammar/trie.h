// Tokens of a vocabulary in one tree of their bytes, laid out in the order of a walk: the node
// behind a node is its first child, and each knows where its subtree ends. A walk that leaves out
// subtrees reads memory forwards only.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace plinth::grammar {

class Trie {
 public:
  struct Node {
    int32_t end = 0;  // behind the subtree
    int32_t tokens =
        0;  // the first of the tokens that end here; they end where the next node's begin
    uint8_t byte = 0;   // the last byte
    uint8_t depth = 0;  // bytes before it
  };

  static constexpr size_t kTokenBytesMax = 255;  // longer tokens are left out

  // Of the tokens of `shortest` to `longest` bytes, both within 1..kTokenBytesMax. Index = id.
  Trie(std::span<const std::string> tokens, size_t shortest, size_t longest);

  // Without the root: node 0 is the first byte of the smallest token. And one behind the last.
  std::span<const Node> nodes() const { return {nodes_.data(), nodes_.size() - 1}; }

  // The tokens in the order of the nodes; Node::tokens counts in it.
  std::span<const int32_t> ids() const { return ids_; }

  // Behind the last of the tokens that end at the node, in ids().
  int32_t tokens_end(int32_t node) const { return nodes_[static_cast<size_t>(node) + 1].tokens; }

  bool has_byte(uint8_t byte) const { return single_[byte]; }

 private:
  std::vector<Node> nodes_;
  std::vector<int32_t> ids_;  // in the order of the nodes
  std::vector<bool> single_;  // bytes that are tokens
};

}  // namespace plinth::grammar
