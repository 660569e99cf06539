#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/rng.h"
#include "text/byte_alphabet.h"
#include "text/piece_counter.h"
#include "text/tokenizer.h"

namespace plinth::text {
namespace {

Result<TokenizerSpec> train(std::string_view text, const BpeTraining& options) {
  return train_bpe(std::span(&text, 1), options);
}

std::string merge_of(std::string_view left, std::string_view right) {
  return to_byte_alphabet(left) + " " + to_byte_alphabet(right);
}

// The definition, done slowly: recount everything before each merge.
std::vector<std::string> slow_merges(const std::vector<std::string>& words, size_t n_merges) {
  std::vector<std::vector<int>> symbols;
  for (const std::string& word : words) {
    auto& s = symbols.emplace_back();
    for (const char c : word) s.push_back(static_cast<unsigned char>(c));
  }
  std::vector<std::string> bytes;
  for (int i = 0; i < 256; ++i) bytes.emplace_back(1, static_cast<char>(i));
  std::vector<std::string> merges;
  std::map<std::pair<int, int>, bool> done;
  while (bytes.size() < 256 + n_merges) {
    std::map<std::pair<int, int>, int> counts;
    for (const auto& s : symbols)
      for (size_t i = 0; i + 1 < s.size(); ++i) ++counts[{s[i], s[i + 1]}];
    std::pair<int, int> best{-1, -1};
    int best_count = 1;
    for (const auto& [pair, count] : counts) {
      if (count > best_count && !done[pair]) {
        best = pair;
        best_count = count;
      }
    }
    if (best.first < 0) break;
    done[best] = true;
    const std::string& left = bytes[static_cast<size_t>(best.first)];
    const std::string& right = bytes[static_cast<size_t>(best.second)];
    merges.push_back(merge_of(left, right));
    const std::string joined = left + right;
    const auto seen = std::find(bytes.begin(), bytes.end(), joined);
    const int id = static_cast<int>(seen - bytes.begin());
    if (seen == bytes.end()) bytes.push_back(joined);
    for (auto& s : symbols) {
      std::vector<int> out;
      for (size_t i = 0; i < s.size(); ++i) {
        if (i + 1 < s.size() && s[i] == best.first && s[i + 1] == best.second) {
          out.push_back(id);
          ++i;
        } else {
          out.push_back(s[i]);
        }
      }
      s = out;
    }
  }
  return merges;
}

TEST(BpeTrainer, LearnsTheMostFrequentPairFirst) {
  BpeTraining options;
  options.vocabulary = 258;
  const auto spec = train("low low low lower newest newest", options);
  ASSERT_TRUE(spec);
  // lo and ow are equally frequent; l < o decides.
  EXPECT_EQ(spec->merges, (std::vector<std::string>{merge_of("l", "o"), merge_of("lo", "w")}));
  EXPECT_EQ(spec->tokens.size(), 258u);
}

TEST(BpeTrainer, EqualsTheSlowDefinition) {
  Rng rng(3);
  for (int round = 0; round < 20; ++round) {
    std::vector<std::string> words;
    std::string text;
    for (int i = 0; i < 150; ++i) {
      std::string word;
      for (uint64_t n = 1 + rng.below(12); n > 0; --n) word += "aabcd"[rng.below(5)];
      words.push_back(word);
      text += word + "\n";
      words.push_back("\n");
    }
    BpeTraining options;
    options.vocabulary = 256 + 40;
    const auto spec = train(text, options);
    ASSERT_TRUE(spec);
    EXPECT_EQ(spec->merges, slow_merges(words, 40));
  }
}

TEST(BpeTrainer, MakesATokenizerThatRoundTrips) {
  const std::string text =
      "合同是民事主体之间设立、变更、终止民事法律关系的协议。合同受法律保护。\n"
      "The contract, the contract! it's 2023年的合同。\n";
  BpeTraining options;
  options.vocabulary = 320;
  options.special = {"<|im_start|>", "<|im_end|>"};
  const auto spec = train(text + text, options);
  ASSERT_TRUE(spec);
  EXPECT_EQ(spec->tokens.size(), 320u);
  EXPECT_EQ(spec->special, (std::vector<int32_t>{318, 319}));
  const auto tokenizer = Tokenizer::from_spec(*spec);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const auto ids = (*tokenizer)->encode(text, false);
  EXPECT_LT(ids.size(), text.size() / 2);
  EXPECT_EQ((*tokenizer)->decode(ids), text);
}

TEST(BpeTrainer, StopsWhenNothingRepeats) {
  const auto spec = train("abcdefg", {});
  ASSERT_TRUE(spec);
  EXPECT_TRUE(spec->merges.empty());
  EXPECT_EQ(spec->tokens.size(), 256u);
}

TEST(BpeTrainer, NeverSpellsASpecialToken) {
  BpeTraining options;
  options.vocabulary = 300;
  options.special = {"ab"};
  const auto spec = train("ab ab ab ab", options);
  ASSERT_TRUE(spec);
  EXPECT_EQ(std::count(spec->tokens.begin(), spec->tokens.end(), "ab"), 1);
  EXPECT_TRUE(Tokenizer::from_spec(*spec));
}

TEST(BpeTrainer, RefusesWhatCannotBe) {
  BpeTraining options;
  options.vocabulary = 255;
  EXPECT_FALSE(train("a", options));
  options = {};
  options.special = {"x", "x"};
  EXPECT_FALSE(train("a", options));
  options = {};
  options.pre = "bert";
  EXPECT_FALSE(train("a", options));
  options = {};
  options.pieces_max = 0;
  EXPECT_FALSE(train("a", options));
}

TEST(PieceCounter, KeepsTheMostFrequent) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += fmt::format("x{} the the\n", i);
  const std::string_view view = text;
  const auto pieces = count_pieces(std::span(&view, 1), PreTokenizer::kGpt2, 4);
  ASSERT_EQ(pieces.size(), 4u);
  bool found = false;
  for (const CountedPiece& piece : pieces)
    if (piece.text == " the") found = piece.count == 2000;
  EXPECT_TRUE(found);
}

TEST(PieceCounter, CutsLongPiecesBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "中";
  const std::string_view view = text;
  const auto pieces = count_pieces(std::span(&view, 1), PreTokenizer::kQwen2, 100);
  ASSERT_EQ(pieces.size(), 2u);  // 300 bytes: three full cuts and a rest
  EXPECT_EQ(pieces[0].text.size(), 96u);
  EXPECT_EQ(pieces[0].count, 3);
  EXPECT_EQ(pieces[1].text.size(), 12u);
}

}  // namespace
}  // namespace plinth::text
