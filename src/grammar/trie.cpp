#include "grammar/trie.h"

#include <algorithm>

namespace plinth::grammar {

Trie::Trie(std::span<const std::string> tokens, size_t shortest, size_t longest) : single_(256) {
  const auto bytes = [&](int32_t id) -> const std::string& {
    return tokens[static_cast<size_t>(id)];
  };
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (tokens[id].size() < shortest || tokens[id].size() > longest) continue;
    ids_.push_back(static_cast<int32_t>(id));
    if (tokens[id].size() == 1) single_[static_cast<uint8_t>(tokens[id][0])] = true;
  }
  std::ranges::sort(ids_, [&](int32_t a, int32_t b) {
    const int order = bytes(a).compare(bytes(b));
    return order != 0 ? order < 0 : a < b;
  });
  std::vector<int32_t> way;  // nodes of the current token's bytes
  const auto close = [&](size_t depth) {
    for (; way.size() > depth; way.pop_back())
      nodes_[static_cast<size_t>(way.back())].end = static_cast<int32_t>(nodes_.size());
  };
  std::string last;
  for (size_t i = 0; i < ids_.size(); ++i) {
    const std::string& token = bytes(ids_[i]);
    const auto differs = std::ranges::mismatch(token, last).in1 - token.begin();
    close(static_cast<size_t>(differs));
    for (size_t depth = way.size(); depth < token.size(); ++depth) {
      way.push_back(static_cast<int32_t>(nodes_.size()));
      nodes_.push_back({.tokens = static_cast<int32_t>(i),
                        .byte = static_cast<uint8_t>(token[depth]),
                        .depth = static_cast<uint8_t>(depth)});
    }
    last = token;
  }
  close(0);
  nodes_.push_back({.tokens = static_cast<int32_t>(ids_.size())});
}

}  // namespace plinth::grammar
