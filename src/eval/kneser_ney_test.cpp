#include "eval/kneser_ney.h"

#include <cmath>
#include <string>

#include <gtest/gtest.h>

#include "core/rng.h"

namespace plinth::eval {
namespace {

constexpr double kCodePoints = 0x110000 - 0x800;

double p(const KneserNey& model, std::u32string_view before, char32_t next) {
  return std::exp2(model.log2_probability(before, next));
}

// Too little text to estimate discounts from: 0.5, 1 and 1.5 for counts of 1, 2, 3 and more.
//
// First character: the 5-gram ^^^^a was seen 3 times of 3, (3 - 1.5) / 3 with 1.5 / 3 left over;
// the lower orders know a after ^ from one place each, 0.5 with 0.5 left over; the unigram a
// follows one of three distinct predecessors, 0.5 / 3 with 0.5 left over for the uniform 1 / (3 +
// 1).
TEST(KneserNey, AgreesWithTheSumByHand) {
  const std::vector<std::string_view> documents{"ab", "ab", "ac"};
  const auto model = KneserNey::train(documents);
  ASSERT_TRUE(model);
  const double unigram = 0.5 / 3 + 0.5 / 4;
  double first = unigram;
  for (int order = 2; order <= 4; ++order) first = 0.5 + 0.5 * first;
  EXPECT_NEAR(p(*model, U"", U'a'), 0.5 + 0.5 * first, 1e-12);
  // b after a: 2 of 3 times, (2 - 1) / 3 with (1 + 0.5) / 3 left; lower orders: one of two.
  double second = unigram;
  for (int order = 2; order <= 4; ++order) second = 0.25 + 0.5 * second;
  EXPECT_NEAR(p(*model, U"a", U'b'), 1.0 / 3 + 0.5 * second, 1e-12);
  EXPECT_NEAR(p(*model, U"", U'z'), std::pow(0.5, 5) / 4 / (kCodePoints - 3), 1e-18);
  const std::vector<std::string_view> held_out{"ab"};
  EXPECT_NEAR(*model->bits_per_character(held_out),
              -(std::log2(0.5 + 0.5 * first) + std::log2(1.0 / 3 + 0.5 * second)) / 2, 1e-12);
}

// Text from a source with memory, so that all count classes exist and discounts are estimated.
std::string babble(uint64_t seed, int characters) {
  Rng rng(seed);
  std::string text;
  int last = 0;
  for (int i = 0; i < characters; ++i) {
    const double u = rng.uniform();
    last = u < 0.6 ? (last * 3 + 1) % 20 : static_cast<int>(20 * u * u);
    text.push_back(static_cast<char>('a' + last));
  }
  return text;
}

TEST(KneserNey, ProbabilitiesSumToOneAfterAnyContext) {
  const std::string text = babble(1, 3000);
  const std::vector<std::string_view> documents{text, "ab", "\xE4\xB8\xAD\xE6\x96\x87"};
  const auto model = KneserNey::train(documents);
  std::u32string alphabet = U"中文";
  for (char32_t c = U'a'; c <= U't'; ++c) alphabet.push_back(c);
  ASSERT_EQ(model->characters(), std::ssize(alphabet));
  for (const std::u32string_view before :
       {U"", U"a", U"ab", U"bcde", U"aaaaaaaa", U"中", U"文", U"never", U"a?b"}) {
    double sum = (kCodePoints - static_cast<double>(alphabet.size())) * p(*model, before, U'?');
    for (const char32_t c : alphabet) sum += p(*model, before, c);
    EXPECT_NEAR(sum, 1, 1e-9);
  }
}

TEST(KneserNey, LearnsMoreThanTheUnigramsKnow) {
  const std::string text = babble(1, 20000);
  const std::string held_out = babble(2, 5000);
  const std::vector<std::string_view> train{text};
  const std::vector<std::string_view> test{held_out};
  const auto model = KneserNey::train(train);
  const double bits = *model->bits_per_character(test);
  EXPECT_LT(bits, 3.0) << "the source has some 2.5 bits, its unigrams more than 4";
  EXPECT_GT(bits, 2.0);
  EXPECT_LT(*model->bits_per_character(train), bits);
}

TEST(KneserNey, RefusesNothing) {
  EXPECT_FALSE(KneserNey::train({}));
  const std::vector<std::string_view> empty{""};
  EXPECT_FALSE(KneserNey::train(empty));
  const std::vector<std::string_view> some{"a"};
  EXPECT_FALSE(KneserNey::train(some)->bits_per_character(empty));
}

}  // namespace
}  // namespace plinth::eval
