#include "engine/followers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace plinth::engine {
namespace {

using testing::ElementsAre;
using testing::Eq;

constexpr int64_t kBlock = 4;
constexpr int64_t kMin = 8;
const std::optional<Follows> kNobody;

// `shared` tokens that all have, then `own` that nobody else has.
std::vector<int32_t> text(int64_t shared, int64_t own, int32_t name = 0) {
  std::vector<int32_t> tokens;
  for (int32_t i = 0; i < shared; ++i) tokens.push_back(i);
  for (int32_t i = 0; i < own; ++i) tokens.push_back(1000 * (name + 1) + i);
  return tokens;
}

Prompt answer(const std::vector<int32_t>& tokens, int64_t computed = 0) {
  return {.scope = "a", .tokens = tokens, .computed = computed, .reusable = std::ssize(tokens) - 1};
}

auto who(const std::vector<Prompt>& prompts) {
  return followers(prompts, kBlock, kMin);
}

TEST(Followers, TheFirstIsReadAndTheOthersFollow) {
  const auto a = text(20, 3, 0), b = text(20, 5, 1), c = text(20, 1, 2);
  EXPECT_THAT(who({answer(a), answer(b), answer(c)}),
              ElementsAre(kNobody, Follows{0, 20}, Follows{0, 20}));
  EXPECT_THAT(who({answer(a, 16), answer(b, 16), answer(c)}),
              ElementsAre(kNobody, Follows{0, 20}, Follows{0, 20}));
  EXPECT_THAT(who({answer(a, 20), answer(b, 16), answer(c)}),
              ElementsAre(kNobody, kNobody, Follows{1, 20}))
      << "the first has done its part";
}

TEST(Followers, TheSameTextIsLeftItsLastToken) {
  const auto a = text(20, 0), b = text(21, 0);
  EXPECT_THAT(who({answer(a), answer(a)}), ElementsAre(kNobody, Follows{0, 20}));
  EXPECT_THAT(who({answer(a, 19), answer(a, 16)}), ElementsAre(kNobody, Follows{0, 20}));
  EXPECT_THAT(who({answer(a, 20), answer(a, 16)}), ElementsAre(kNobody, kNobody));
  EXPECT_THAT(who({answer(b), answer(b)}), ElementsAre(kNobody, Follows{0, 20}))
      << "a block that the prompt does not fill";
  EXPECT_THAT(who({answer(b, 16), answer(b, 20)}), ElementsAre(kNobody, kNobody))
      << "one that only lacks its newest token";
}

TEST(Followers, TheFirstTokensOfABlockAreWaitedForWhereItWillBeFull) {
  const auto a = text(18, 2, 0), b = text(18, 1, 1), c = text(18, 9, 2);
  EXPECT_THAT(who({answer(a), answer(c)}), ElementsAre(kNobody, Follows{0, 20}));
  EXPECT_THAT(who({answer(a, 18), answer(c, 16)}), ElementsAre(kNobody, Follows{0, 20}));
  EXPECT_THAT(who({answer(a, 18), answer(c, 18)}), ElementsAre(kNobody, kNobody));
  EXPECT_THAT(who({answer(b), answer(c)}), ElementsAre(kNobody, Follows{0, 16}));
  EXPECT_THAT(who({answer(b, 16), answer(c, 16)}), ElementsAre(kNobody, kNobody));
}

TEST(Followers, AShortBeginningIsNotWaitedFor) {
  const auto a = text(8, 20, 0), b = text(8, 20, 1), c = text(7, 20, 2);
  EXPECT_THAT(who({answer(a), answer(b)}), ElementsAre(kNobody, Follows{0, 8}));
  EXPECT_THAT(who({answer(a), answer(c)}), ElementsAre(kNobody, kNobody));
}

TEST(Followers, NobodyFollowsAcrossScopesOrOutsideOfThem) {
  const auto a = text(20, 3);
  Prompt other = answer(a);
  other.scope = "b";
  Prompt alone = answer(a);
  alone.scope = {};
  EXPECT_THAT(who({answer(a), other, alone, alone}),
              ElementsAre(kNobody, kNobody, kNobody, kNobody));
}

TEST(Followers, WhatMustBeComputedAnywayIsNotWaitedFor) {
  const auto a = text(20, 3);
  Prompt score = answer(a);
  score.reusable = 5;
  EXPECT_THAT(who({answer(a), score}), ElementsAre(kNobody, kNobody));
}

// c shares more with b than with a, and can begin with neither before a is read.
TEST(Followers, LeadersFollowNobody) {
  auto a = text(12, 20, 0), b = text(12, 20, 1), c = b;
  c.resize(25);
  EXPECT_THAT(who({answer(a), answer(b), answer(c)}),
              ElementsAre(kNobody, Follows{0, 12}, Follows{0, 12}));
  EXPECT_THAT(who({answer(a, 12), answer(b, 12), answer(c, 12)}),
              ElementsAre(kNobody, kNobody, Follows{1, 24}));
}

}  // namespace
}  // namespace plinth::engine
