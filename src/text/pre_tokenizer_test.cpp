#include "text/pre_tokenizer.h"

#include <unicode/regex.h>

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/rng.h"
#include "text/unicode.h"

namespace plinth::text {
namespace {

std::vector<std::string> pieces(PreTokenizer pre, std::string_view text) {
  std::vector<std::string> out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = piece_end(pre, text, at);
    out.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return out;
}

// Matches, and what lies between them.
std::vector<std::string> pieces_by_regex(icu::RegexPattern& pattern, const std::string& text) {
  UErrorCode error = U_ZERO_ERROR;
  const auto input = icu::UnicodeString::fromUTF8(text);
  const std::unique_ptr<icu::RegexMatcher> matcher(pattern.matcher(input, error));
  std::vector<std::string> out;
  int32_t done = 0;
  const auto put = [&](int32_t begin, int32_t end) {
    if (begin < end) input.tempSubStringBetween(begin, end).toUTF8String(out.emplace_back());
  };
  while (matcher->find()) {
    put(done, matcher->start(error));
    put(matcher->start(error), done = matcher->end(error));
  }
  put(done, input.length());
  EXPECT_TRUE(U_SUCCESS(error));
  return out;
}

class PreTokenizers : public testing::TestWithParam<PreTokenizer> {};

TEST_P(PreTokenizers, EqualTheirRegexOnRandomText) {
  UErrorCode error = U_ZERO_ERROR;
  UParseError where{};
  const auto regex = icu::UnicodeString::fromUTF8(std::string(pre_tokenizer_regex(GetParam())));
  const std::unique_ptr<icu::RegexPattern> pattern(icu::RegexPattern::compile(regex, where, error));
  ASSERT_TRUE(U_SUCCESS(error));
  const std::vector<std::string> alphabet = {
      " ", "  ", "\n",      "\r", "\r\n", "\t",   "\u3000", "\u00a0", "\u2028", "\u0085",
      "'", "s",  "S",       "t",  "re",   "VE",   "Ll",     "d",      "m",      "ſ",
      "a", "é",  "e\u0301", "中", "国文", "，",   "。",     "!",      "_",      "-",
      "0", "12", "３",      "½",  "Ⅷ",    "🦙", "𠀀",     "\u200d", "\u0e33"};
  Rng rng(11);
  for (int round = 0; round < 4000; ++round) {
    std::string text;
    for (uint64_t n = rng.below(16); n > 0; --n) text += alphabet[rng.below(alphabet.size())];
    ASSERT_EQ(pieces(GetParam(), text), pieces_by_regex(*pattern, text)) << text;
  }
}

TEST_P(PreTokenizers, CoverRandomBytesExactly) {
  Rng rng(12);
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (uint64_t n = rng.below(200); n > 0; --n) text += static_cast<char>(rng.below(256));
    std::string joined;
    for (const std::string& piece : pieces(GetParam(), text)) {
      ASSERT_FALSE(piece.empty());
      joined += piece;
    }
    ASSERT_EQ(joined, text);
  }
}

TEST_P(PreTokenizers, AreFoundByNameAndByRegex) {
  const auto name = pre_tokenizer_name(GetParam());
  EXPECT_TRUE(name.empty() || pre_tokenizer_named(name) == GetParam());
  EXPECT_EQ(pre_tokenizer_of_regex(pre_tokenizer_regex(GetParam())), GetParam());
  EXPECT_FALSE(pre_tokenizer_named("bert"));
  EXPECT_FALSE(pre_tokenizer_of_regex("\\s+"));
}

INSTANTIATE_TEST_SUITE_P(All, PreTokenizers,
                         testing::Values(PreTokenizer::kGpt2, PreTokenizer::kQwen2,
                                         PreTokenizer::kLlamaBpe, PreTokenizer::kDigit));

}  // namespace
}  // namespace plinth::text
