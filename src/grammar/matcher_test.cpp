#include <cmath>
#include <functional>
#include <set>

#include <gtest/gtest.h>

#include "core/json.h"
#include "core/rng.h"
#include "grammar/test_schema.h"
#include "grammar/test_vocabulary.h"
#include "text/byte_alphabet.h"

namespace plinth::grammar {
namespace {

Matcher begin(const std::shared_ptr<const Grammar>& grammar) {
  auto matcher = Matcher::create(grammar, test_vocabulary());
  PLINTH_CHECK(matcher.has_value(), "{}", matcher.error().message);
  return *std::move(matcher);
}

std::vector<int32_t> allowed(Matcher& matcher) {
  const auto mask = matcher.mask();
  PLINTH_CHECK(mask.has_value(), "{}", mask.error().message);
  std::vector<int32_t> ids;
  for (int32_t id = 0; id < test_vocabulary()->size(); ++id)
    if (allows(*mask, id)) ids.push_back(id);
  return ids;
}

// Random tokens under the mask. First a random byte among those that may come, then a random token
// that begins with it: otherwise strings would hardly ever end.
int32_t choose(const std::vector<int32_t>& ids, Rng& rng) {
  std::vector<int32_t> firsts;
  for (const int32_t id : ids)
    firsts.push_back(static_cast<uint8_t>(test_vocabulary()->bytes(id)[0]));
  std::vector<int32_t> different = firsts;
  std::ranges::sort(different);
  different.erase(std::unique(different.begin(), different.end()), different.end());
  const int32_t first = different[rng.below(different.size())];
  std::vector<int32_t> with;
  for (size_t i = 0; i < ids.size(); ++i)
    if (firsts[i] == first) with.push_back(ids[i]);
  return with[rng.below(with.size())];
}

// Towards the end, what closes things.
int32_t closing(const std::vector<int32_t>& ids, Rng& rng) {
  for (const char byte : {'"', '}', ']', ':', 'n', '0', '1'})
    for (const int32_t id : ids)
      if (test_vocabulary()->bytes(id) == std::string_view(&byte, 1)) return id;
  return choose(ids, rng);
}

// A whole text by random tokens; empty when it has not ended after many tokens.
std::string random_text(const std::shared_ptr<const Grammar>& grammar, Rng& rng) {
  Matcher matcher = begin(grammar);
  std::string text;
  for (int n = 0; n < 400; ++n) {
    const auto ids = allowed(matcher);
    EXPECT_TRUE(!ids.empty() || matcher.can_end()) << "stuck after " << text;
    EXPECT_EQ(ids.empty(), matcher.complete()) << text;
    if (ids.empty() || (matcher.can_end() && rng.below(4) == 0)) return text;
    const int32_t token = n < 60 ? choose(ids, rng) : closing(ids, rng);
    EXPECT_TRUE(matcher.accept(token)) << text;
    text += test_vocabulary()->bytes(token);
  }
  return "";
}

TEST(Matcher, RandomTokensUnderTheMaskGiveTextsOfTheSchema) {
  Rng rng(1);
  for (const char* schema : kSchemas) {
    const auto grammar = Grammar::from_schema(schema);
    ASSERT_TRUE(grammar) << schema << grammar.error().message;
    int whole = 0;
    for (int round = 0; round < 25; ++round) {
      const std::string text = random_text(*grammar, rng);
      if (text.empty()) continue;
      ++whole;
      const auto json = parse_json(text, "text", 500);
      ASSERT_TRUE(json) << json.error().message << "\n" << text;
      EXPECT_EQ(violation(*parse_json(schema, "schema"), *json), "") << text;
    }
    EXPECT_GT(whole, 15) << schema;
  }
}

// What the mask says is what reading the token byte by byte says, for every token.
TEST(Matcher, TheMaskHoldsExactlyTheTokensThatFit) {
  Rng rng(2);
  std::vector<std::shared_ptr<const Grammar>> grammars;
  for (const char* schema : kSchemas) grammars.push_back(*Grammar::from_schema(schema));
  for (const char* gbnf :
       {"root ::= [^\\n]{0,30} \"\\n\"", "root ::= (\"电\" | \"梯\"){1,9} .*",
        "root ::= s\ns ::= \"(\" s* \")\" | \"[\" s* \"]\" | char\nchar ::= [a-z\" ]",
        "root ::= a a a\na ::= [0-9]* b\nb ::= \",\"? \" \"?"})
    grammars.push_back(*Grammar::from_gbnf(gbnf));
  for (const auto& grammar : grammars) {
    Matcher matcher = begin(grammar);
    for (int n = 0; n < 40; ++n) {
      const auto ids = allowed(matcher);
      std::vector<int32_t> fitting;
      for (int32_t id = 0; id < test_vocabulary()->size(); ++id)
        if (Matcher copy = matcher; copy.accept(id)) fitting.push_back(id);
      ASSERT_EQ(ids, fitting);
      if (ids.empty()) break;
      ASSERT_TRUE(matcher.accept(choose(ids, rng)));
    }
  }
}

// Tokens of 1 to 60 bytes and more, of which some end strings, some run over their ends, and some
// end within a character.
std::shared_ptr<const Vocabulary> long_tokens() {
  std::set<std::string> words;
  for (int byte = 0; byte < 256; ++byte) words.insert(std::string(1, static_cast<char>(byte)));
  for (size_t n = 1; n <= 60; ++n) {
    words.insert(std::string(n, 'a'));
    words.insert(std::string(n, 'a') + '"');
    words.insert(std::string(n, 'a') + "\"}");
    words.insert(std::string(n, ' '));
    words.insert('"' + std::string(n, 'a') + "\",\"");
    std::string han;
    for (size_t i = 0; i < n; ++i) han += "电";
    words.insert(han);
    words.insert(han.substr(1));
    words.insert(han + "\xE7");
  }
  text::TokenizerSpec spec;
  spec.pre = "qwen2";
  for (const std::string& word : words) spec.tokens.push_back(text::to_byte_alphabet(word));
  return Vocabulary::create(**text::Tokenizer::from_spec(std::move(spec)));
}

TEST(Matcher, TheMaskHoldsExactlyTheLongTokensThatFit) {
  const auto vocabulary = long_tokens();
  const std::vector<std::shared_ptr<const Grammar>> grammars = {
      *Grammar::from_schema(R"({"type":"object","properties":{"a":{"type":"string","maxLength":37},
                               "aa":{"type":"string"}},"required":["a"]})"),
      *Grammar::from_schema(R"({"type":"array","items":{"type":"string","maxLength":9}})"),
      *Grammar::from_gbnf("root ::= [a电]{3,50}"),
      *Grammar::from_gbnf("root ::= x{0,20} \" \"{5,70}\nx ::= \"aa\" | \"电\" y\ny ::= \"电\"*"),
  };
  Rng rng(5);
  for (const auto& grammar : grammars) {
    Matcher matcher = *Matcher::create(grammar, vocabulary);
    for (int n = 0; n < 60; ++n) {
      const auto mask = *matcher.mask();
      std::vector<int32_t> fitting;
      for (int32_t id = 0; id < vocabulary->size(); ++id) {
        const bool fits = Matcher(matcher).accept(id).has_value();
        ASSERT_EQ(allows(mask, id), fits) << vocabulary->bytes(id);
        if (fits) fitting.push_back(id);
      }
      if (fitting.empty()) break;
      // Mostly short ones, so that many positions are seen.
      int32_t token = fitting[rng.below(fitting.size())];
      for (int i = 0; i < 8; ++i)
        if (const int32_t other = fitting[rng.below(fitting.size())];
            vocabulary->bytes(other).size() < vocabulary->bytes(token).size())
          token = other;
      ASSERT_TRUE(matcher.accept(token));
    }
  }
}

TEST(Matcher, SpecialTokensAreNeverOffered) {
  Matcher matcher = begin(*Grammar::from_gbnf("root ::= .*"));
  const auto mask = *matcher.mask();
  for (const int32_t id : test_tokenizer()->spec().special) {
    EXPECT_FALSE(allows(mask, id));
    EXPECT_FALSE(Matcher(matcher).accept(id));
  }
  EXPECT_FALSE(matcher.accept(-1));
  EXPECT_FALSE(matcher.accept(test_vocabulary()->size()));
}

TEST(Matcher, CharactersMayBeSplitOverTokens) {
  Matcher matcher = begin(*Grammar::from_gbnf("root ::= [电🙂]"));
  EXPECT_TRUE(matcher.accept(byte_token('\xF0')));
  for (const int32_t id : allowed(matcher))
    EXPECT_EQ(test_vocabulary()->bytes(id),
              std::string_view("\x9F\x99\x82").substr(0, test_vocabulary()->bytes(id).size()));
  EXPECT_FALSE(matcher.accept(byte_token('\x80')));
  EXPECT_TRUE(matcher.accept(byte_token('\x9F')));
  EXPECT_FALSE(matcher.can_end());
}

TEST(Matcher, ARefusedTokenChangesNothing) {
  Matcher matcher = begin(*Grammar::from_gbnf("root ::= \"ab\""));
  EXPECT_TRUE(matcher.accept(byte_token('a')));
  EXPECT_FALSE(matcher.accept(byte_token('a')));
  EXPECT_TRUE(matcher.accept(byte_token('b')));
  EXPECT_TRUE(matcher.can_end());
  EXPECT_TRUE(matcher.complete());
  EXPECT_TRUE(allowed(matcher).empty());
}

TEST(Matcher, CopiesGoTheirOwnWays) {
  Matcher one = begin(*Grammar::from_gbnf("root ::= \"ab\" | \"cd\""));
  Matcher two = one;
  EXPECT_TRUE(one.accept(byte_token('a')));
  EXPECT_TRUE(two.accept(byte_token('c')));
  EXPECT_TRUE(one.accept(byte_token('b')));
  EXPECT_TRUE(two.accept(byte_token('d')));
}

// Each prefix is a state of its own: what must follow is the prefix backwards. The tables are
// renewed on the way, or the matcher says that it would take too much; it never lies.
TEST(Matcher, TablesThatFillUpAreRenewed) {
  std::string gbnf = "root ::= s\ns ::= \"!\"";
  for (char c = 'a'; c <= 'z'; ++c) gbnf += fmt::format(" | \"{}\" s \"{}\"", c, c);
  const auto grammar = *Grammar::from_gbnf(gbnf);
  Rng rng(4);
  for (int round = 0; round < 12; ++round) {
    Matcher matcher = begin(grammar);
    std::string text;
    for (int n = 0; n < 250; ++n) {
      text += static_cast<char>('a' + rng.below(26));
      ASSERT_TRUE(matcher.mask());
      ASSERT_TRUE(matcher.accept(byte_token(text.back())));
    }
    EXPECT_TRUE(matcher.accept(byte_token('!')));
    for (auto it = text.rbegin(); it != text.rend(); ++it) {
      ASSERT_FALSE(matcher.can_end());
      EXPECT_EQ(allowed(matcher).front(), byte_token(*it));
      ASSERT_TRUE(matcher.accept(byte_token(*it)));
    }
    EXPECT_TRUE(matcher.complete());
  }
  EXPECT_LT(grammar->memory_bytes(), size_t{60} << 20);
}

TEST(Matcher, AVocabularyWithoutANeededByteIsRefused) {
  text::TokenizerSpec spec;
  spec.algorithm = text::Algorithm::kUnigram;
  spec.tokens = {"<unk>", "a", "b"};
  spec.scores = {0, -1, -1};
  spec.pre = "";
  spec.unknown = 0;
  const auto tokenizer = text::Tokenizer::from_spec(spec);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const auto vocabulary = Vocabulary::create(**tokenizer);
  EXPECT_TRUE(Matcher::create(*Grammar::from_gbnf("root ::= [ab]*"), vocabulary));
  const auto refused = Matcher::create(*Grammar::from_gbnf("root ::= \"abc\""), vocabulary);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("0x63"), std::string::npos) << refused.error().message;
}

TEST(SchemaCache, EqualTextsShareAGrammar) {
  SchemaCache cache(SchemaCache::Limits{.entries = 2});
  const auto one = *cache.get(R"({"type":"object"})");
  EXPECT_EQ(*cache.get(R"({"type":"object"})"), one);
  EXPECT_TRUE(cache.get(R"({"type":"array"})"));
  EXPECT_EQ(*cache.get(R"({"type":"object"})"), one);
  EXPECT_TRUE(cache.get(R"({"type":"string"})"));
  EXPECT_EQ(*cache.get(R"({"type":"object"})"), one) << "used last";
  EXPECT_FALSE(cache.get("{"));
}

}  // namespace
}  // namespace plinth::grammar
