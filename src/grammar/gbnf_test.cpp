#include <chrono>

#include <gtest/gtest.h>

#include "grammar/test_vocabulary.h"

namespace plinth::grammar {
namespace {

bool fits(std::string_view gbnf, std::string_view text) {
  const auto grammar = Grammar::from_gbnf(gbnf);
  EXPECT_TRUE(grammar) << gbnf << ": " << grammar.error().message;
  return grammar && grammar::fits(*grammar, text);
}

std::string refused(std::string_view gbnf) {
  const auto grammar = Grammar::from_gbnf(gbnf);
  EXPECT_FALSE(grammar) << gbnf;
  if (grammar) return "";
  EXPECT_EQ(grammar.error().code, Code::kInvalidArgument);
  return grammar.error().message;
}

TEST(Gbnf, ReadsEveryConstruct) {
  EXPECT_TRUE(fits("root ::= \"ab\" # comment\n", "ab"));
  EXPECT_FALSE(fits("root ::= \"ab\"", "a"));
  EXPECT_FALSE(fits("root ::= \"ab\"", "abc"));
  EXPECT_TRUE(fits("root ::= \"a\" | \"b\" |", ""));
  EXPECT_TRUE(fits("root ::= [a-cx]+ [^a-c]*", "abxzz"));
  EXPECT_FALSE(fits("root ::= [a-cx]+ [^a-c]*", "dz"));
  EXPECT_TRUE(fits("root ::= (\"a\" \"b\"?){2,3}", "aba"));
  EXPECT_FALSE(fits("root ::= (\"a\" \"b\"?){2,3}", "a"));
  EXPECT_FALSE(fits("root ::= (\"a\" \"b\"?){2,3}", "aaaa"));
  EXPECT_TRUE(fits("root ::= \"a\"{3}", "aaa"));
  EXPECT_TRUE(fits("root ::= \"a\"{2,}", "aaaaa"));
  EXPECT_TRUE(fits("root ::= \"a\"{,2}", ""));
  EXPECT_TRUE(fits("root ::= . .", "电🙂"));
  EXPECT_FALSE(fits("root ::= .", "\xE7\x94"));
  EXPECT_TRUE(fits("root ::= [电-维]", "维"));
  EXPECT_TRUE(fits(R"(root ::= "\x41\u7535\U0001F642\n\t\r\\\"" [\]\-\^])", "A电🙂\n\t\r\\\"-"));
  EXPECT_TRUE(fits("root ::= a-1\n  b_2\n  | \"x\"\na-1 ::= \"a\"\nb_2\n  ::= \"b\"", "ab"));
  EXPECT_TRUE(fits("root ::= list\nlist ::= \"x\" list | \"\"", "xxxx"));
}

TEST(Gbnf, NestingIsRemembered) {
  const char* brackets = "root ::= pair*\npair ::= \"(\" pair* \")\" | \"[\" pair* \"]\"";
  EXPECT_TRUE(fits(brackets, "([()[]])()"));
  EXPECT_FALSE(fits(brackets, "([)]"));
  EXPECT_FALSE(fits(brackets, "(()"));
}

TEST(Gbnf, EmptyTextsAreFollowedEverywhere) {
  const char* grammar = "root ::= a b c \"!\"\na ::= \"a\"?\nb ::= a a\nc ::= (\"c\" | b)*";
  for (const char* text : {"!", "a!", "aaa!", "cac!", "aaaaac!"}) EXPECT_TRUE(fits(grammar, text));
  EXPECT_FALSE(fits(grammar, "ba!"));
  EXPECT_TRUE(fits("root ::= (\"\")* \"x\"", "x"));
  EXPECT_TRUE(fits("root ::= \"\"", ""));
}

TEST(Gbnf, ErrorsSayWhere) {
  EXPECT_EQ(refused("root ::= \"a\"\nb = \"c\""),
            "grammar, line 2, column 3: '=' is not expected here");
  EXPECT_EQ(refused("root ::= a\n  (b)\na ::= \"x\""),
            "grammar, line 2, column 4: rule b is used but nowhere defined");
  EXPECT_EQ(refused("root ::= \"a"),
            "grammar, line 1, column 10: the literal lacks its closing quote");
  EXPECT_EQ(refused("x ::= \"a\""), "grammar: there is no rule named root");
  EXPECT_EQ(refused("root ::= x\nx ::= y \"a\"\ny ::= \"b\"? x | \"c\""),
            "grammar: rule x comes back to itself before it reads anything (x -> y -> x)");
  EXPECT_EQ(refused("root ::= \"a\" root"), "grammar: no text fits rule root: it can never end");
  EXPECT_NE(refused("root ::= [b-a]").find("range"), std::string::npos);
  EXPECT_NE(refused("root ::= \"\\q\"").find("\\q is no escape"), std::string::npos);
  EXPECT_NE(refused("root ::= \"\\uD800\"").find("no character"), std::string::npos);
  EXPECT_NE(refused("root ::= (\"a\"").find("lacks its )"), std::string::npos);
  EXPECT_NE(refused("root ::= \"a\"{3,2}").find("at least 3"), std::string::npos);
  EXPECT_NE(refused("root ::= \"a\"\nroot ::= \"b\"").find("twice"), std::string::npos);
  EXPECT_NE(refused("root ::= \"\xFF\"").find("no UTF-8"), std::string::npos);
  EXPECT_NE(refused("root ::= <[12]>").find("'<' is not expected"), std::string::npos);
  refused("");
  refused("root");
  refused("root ::= [");
  refused("root ::= \"\\x4");
}

TEST(Gbnf, HostileGrammarsAreRefusedQuickly) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_NE(refused("root ::= (((\"ab\"{9999}){9999}){9999}){9999}").find("too large"),
            std::string::npos);
  EXPECT_TRUE(Grammar::from_gbnf("root ::= (((\"\"{9999}){9999}){9999}){9999} \"a\""));
  refused("root ::= " + std::string(100'000, '(') + "\"a\"" + std::string(100'000, ')'));
  refused("root ::= \"a\"" + std::string(100'000, '*'));
  std::string doubling = "root ::= r0\n";
  for (int i = 0; i < 60; ++i) doubling += fmt::format("r{} ::= r{} r{}\n", i, i + 1, i + 1);
  EXPECT_TRUE(Grammar::from_gbnf(doubling + "r60 ::= \"a\""));  // 2^60 bytes, in 61 rules
  std::string chain = "root ::= r0\n";
  for (int i = 0; i < 15'000; ++i) chain += fmt::format("r{} ::= r{}?\n", i, i + 1);
  EXPECT_TRUE(Grammar::from_gbnf(chain + "r15000 ::= \"a\""));
  refused(std::string(2 << 20, ' '));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60));
}

// Each "a" may be closed by x or y: 2^n ways to read n bytes.
TEST(Gbnf, AmbiguityCostsNoMoreThanItsLength) {
  const auto grammar = *Grammar::from_gbnf(
      "root ::= s\ns ::= \"a\" s x | \"a\" s y | \"a\"\nx ::= \"x\"?\ny ::= \"y\"?");
  EXPECT_TRUE(fits(grammar, std::string(200, 'a') + "xyxyy"));
  EXPECT_FALSE(fits(grammar, std::string(200, 'a') + "z"));
}

}  // namespace
}  // namespace plinth::grammar
