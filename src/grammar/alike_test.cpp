#include "grammar/alike.h"

#include <map>
#include <set>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/check.h"
#include "core/rng.h"
#include "grammar/gbnf.h"

namespace plinth::grammar {
namespace {

Network network_of(const std::string& gbnf) {
  Expressions grammar;
  const auto root = parse_gbnf(gbnf, grammar);
  PLINTH_CHECK(root.has_value(), "{}", root.error().message);
  auto network = build_network(grammar, *root);
  PLINTH_CHECK(network.has_value(), "{}: {}", gbnf, network.error().message);
  return *std::move(network);
}

// What can be read from a node, and whether its rule may end there: by trying all there is.
using Texts = std::map<std::string, bool>;

Texts texts_of(const Network& network, int32_t node, size_t bytes) {
  Texts texts;
  texts[""] = network.accepts(node);
  const auto go_on = [&](const std::string& begin, int32_t to) {
    for (const auto& [text, ends] : texts_of(network, to, bytes - begin.size()))
      texts[begin + text] |= ends;
  };
  if (bytes == 0) return texts;
  for (const Edge& edge : network.edges_of(node))
    for (int byte = edge.first; byte <= edge.last; ++byte)
      go_on(std::string(1, static_cast<char>(byte)), edge.to);
  for (const Call& call : network.calls_of(node)) {
    const int32_t start = network.rules[static_cast<size_t>(call.rule)].start;
    for (const auto& [text, ends] : texts_of(network, start, bytes)) {
      texts[text] |= false;
      if (ends && !text.empty()) go_on(text, call.to);
    }
  }
  return texts;
}

// A small expression over a, b and the rules.
std::string random_expression(Rng& rng, int depth) {
  static const std::vector<std::string> leaves = {"\"a\"", "\"b\"", "[ab]", "\"ab\"", "s", "t"};
  if (depth == 0) return leaves[rng.below(leaves.size())];
  const std::string one = random_expression(rng, depth - 1);
  switch (rng.below(5)) {
    case 0:
      return fmt::format("({} | {})", one, random_expression(rng, depth - 1));
    case 1:
      return fmt::format("({} {})", one, random_expression(rng, depth - 1));
    case 2:
      return fmt::format("({}){{0,{}}}", one, 1 + rng.below(5));
    case 3:
      return fmt::format("({})*", one);
    default:
      return fmt::format("({})?", one);
  }
}

TEST(Alike, NoShortTextTellsAlikeNodesApart) {
  constexpr std::array<int, 4> kLengths = {1, 2, 3, 4};
  Rng rng(7);
  size_t pairs = 0;
  for (int round = 0; round < 60; ++round) {
    const Network network = network_of(
        fmt::format("root ::= {}\ns ::= \"a\" ({})\nt ::= \"b\" ({})", random_expression(rng, 3),
                    random_expression(rng, 2), random_expression(rng, 1)));
    const auto alike = find_alike(network, kLengths);
    ASSERT_EQ(alike.size(), kLengths.size());
    for (size_t i = 0; i < kLengths.size(); ++i)
      for (size_t node = 0; node < alike[i].size(); ++node) {
        const int32_t first = alike[i][node];
        if (first == static_cast<int32_t>(node)) continue;
        ++pairs;
        const auto bytes = static_cast<size_t>(kLengths[i]);
        EXPECT_EQ(texts_of(network, first, bytes),
                  texts_of(network, static_cast<int32_t>(node), bytes));
      }
  }
  EXPECT_GT(pairs, 300u);
}

TEST(Alike, PositionsOfABoundedTextAreAlikeUntilItsEndIsNear) {
  const auto classes = [](const std::string& gbnf, int length) {
    const auto alike = find_alike(network_of(gbnf), std::array{length});
    return std::set<int32_t>(alike[0].begin(), alike[0].end()).size();
  };
  EXPECT_EQ(classes("root ::= [a-z]{0,40}", 8), 9u);  // 0..7 letters left, and 8 or more
  EXPECT_EQ(classes("root ::= [a-z]{0,40}", 40), 41u);
  EXPECT_EQ(classes("root ::= [a-z]{0,400}", 40), 41u);
  EXPECT_EQ(classes("root ::= [a-z]*", 40), 1u);
}

}  // namespace
}  // namespace plinth::grammar
