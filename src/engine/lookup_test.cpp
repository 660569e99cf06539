#include "engine/lookup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace plinth::engine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<int32_t> after(const std::vector<int32_t>& tokens, int64_t count) {
  return look_up(tokens, count);
}

TEST(Lookup, ContinuesTheLongestMatch) {
  EXPECT_THAT(after({1, 2, 3, 4, 9, 2, 3, 5, 8, 1, 2, 3}, 2), ElementsAre(4, 9));
  EXPECT_THAT(after({1, 2, 3, 4, 9, 2, 3, 5, 8, 7, 2, 3}, 2), ElementsAre(5, 8));
}

TEST(Lookup, TakesTheLatestOfEquals) {
  EXPECT_THAT(after({1, 2, 5, 1, 2, 6, 1, 2}, 1), ElementsAre(6));
}

TEST(Lookup, GuessesNoMoreThanThereIsAndMayOverlapItself) {
  EXPECT_THAT(after({1, 2, 1, 2}, 8), ElementsAre(1, 2));
  EXPECT_THAT(after({7, 7, 7}, 8), ElementsAre(7));
}

TEST(Lookup, OneTokenIsNoMatch) {
  EXPECT_THAT(after({1, 2, 3, 1}, 8), IsEmpty());
  EXPECT_THAT(after({}, 8), IsEmpty());
  EXPECT_THAT(after({1}, 8), IsEmpty());
  EXPECT_THAT(after({1, 1}, 8), IsEmpty());
  EXPECT_THAT(after({1, 2, 1, 2}, 0), IsEmpty());
}

}  // namespace
}  // namespace plinth::engine
