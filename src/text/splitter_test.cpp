#include "text/splitter.h"

#include <chrono>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/rng.h"
#include "text/named_splits.h"

namespace plinth::text {
namespace {

Result<std::vector<std::string>> split(const TokenizerSpec& spec, std::string_view text,
                                       size_t bytes_max = 1000) {
  PLINTH_TRY(const auto splitter, Splitter::create(spec));
  std::vector<std::string> pieces;
  Splitter::Walk walk(splitter, text);
  while (!walk.done()) pieces.emplace_back(walk.next(bytes_max));
  return pieces;
}

using Pieces = std::vector<std::string>;

TokenizerSpec by_regex(std::vector<std::string> regexes) {
  TokenizerSpec spec;
  spec.pre.clear();
  spec.splits = std::move(regexes);
  return spec;
}

TokenizerSpec by_name(const char* name) {
  TokenizerSpec spec;
  spec.pre = name;
  return spec;
}

TEST(Splitter, GapsArePieces) {
  EXPECT_EQ(*split(by_regex({"b+"}), "aabbcbb"), (Pieces{"aa", "bb", "c", "bb"}));
  EXPECT_EQ(*split(by_regex({}), "abc"), (Pieces{"abc"}));
}

TEST(Splitter, EachStageSplitsThePiecesOfTheLast) {
  EXPECT_EQ(*split(by_regex({"b+", "a|b$"}), "aabbcbb"),
            (Pieces{"a", "a", "b", "b", "c", "b", "b"}));
  EXPECT_EQ(*split(by_name("smollm"), "it's 123 中文"),
            (Pieces{"it", "'s", " ", "1", "2", "3", " 中文"}));
  EXPECT_EQ(*split(by_name("deepseek-v3"), "合同1234 isn't x\n"),
            (Pieces{"合同", "123", "4", " isn", "'t", " x", "\n"}));
}

TEST(Splitter, BrokenBytesStandAlone) {
  EXPECT_EQ(*split(by_regex({"\\p{L}+"}), "ab\xFF\xFE cd"), (Pieces{"ab", "\xFF\xFE", " ", "cd"}));
}

TEST(Splitter, LongPiecesAreCut) {
  EXPECT_EQ(*split(by_regex({"[a-z]+"}), "abcdefg中", 3), (Pieces{"abc", "def", "g", "中"}));
  EXPECT_EQ(*split(by_regex({"z"}), "中中", 2), (Pieces{"\xE4\xB8", "\xAD\xE4", "\xB8\xAD"}));
}

TEST(Splitter, CoversRandomBytesExactly) {
  Rng rng(3);
  for (const char* name : {"smollm", "deepseek-llm", "deepseek-coder", "deepseek-v3", "tekken",
                           "falcon", "qwen35", "default"}) {
    const auto splitter = Splitter::create(by_name(name));
    ASSERT_TRUE(splitter) << splitter.error().message;
    for (int round = 0; round < 100; ++round) {
      std::string text;
      for (uint64_t n = rng.below(100); n > 0; --n)
        text += rng.below(3) == 0 ? std::string(1, static_cast<char>(rng.below(256))) : " 中 a1";
      std::string joined;
      Splitter::Walk walk(*splitter, text);
      while (!walk.done()) joined += walk.next(64);
      ASSERT_EQ(joined, text) << name;
    }
  }
}

TEST(Splitter, RefusesByName) {
  EXPECT_NE(split(by_name("bert"), "a").error().message.find("'bert'"), std::string::npos);
  EXPECT_NE(split(by_regex({"(a"}), "a").error().message.find("'(a'"), std::string::npos);
  EXPECT_NE(split(by_regex({"[a&&b]"}), "a").error().message.find("&&"), std::string::npos);
  EXPECT_FALSE(split(by_regex({std::string(5000, 'a')}), "a"));
  EXPECT_FALSE(split(by_regex(Pieces(20, "a")), "a"));
}

TEST(Splitter, HostileExpressionsTakeBoundedTime) {
  const auto begin = std::chrono::steady_clock::now();
  const std::string text = std::string(2000, 'a') + "!";
  EXPECT_TRUE(split(by_regex({"(a+)+$"}), text));
  EXPECT_TRUE(split(by_regex({"(a|aa)+$"}), text));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

TEST(NamedSplits, AreFoundByNameAndByExpressions) {
  for (const char* name :
       {"gpt-2", "qwen2", "llama-bpe", "smaug-bpe", "smollm", "tekken", "deepseek-v3", "none"}) {
    const auto splits = splits_named(name);
    ASSERT_TRUE(splits) << name;
    EXPECT_EQ(name_of_splits(splits->regexes, splits->ignore_merges), name);
  }
  EXPECT_EQ(splits_named("hunyuan-dense")->regexes, splits_named("deepseek-v3")->regexes);
  EXPECT_FALSE(splits_named(""));
  EXPECT_FALSE(splits_named("llama"));
  EXPECT_FALSE(name_of_splits(Pieces{"x"}, false));
}

}  // namespace
}  // namespace plinth::text
