#include "engine/time_left.h"

#include <gtest/gtest.h>

namespace plinth::engine {
namespace {

constexpr double kStep_s = 0.01;

// An engine whose steps take kStep_s and that rests for `rest_s` after each. Of its steps' time,
// the share that it left.
double share_left(double rest_s, int steps) {
  TimeLeft time_left;
  double left_s = 0;
  for (int i = 0; i < steps; ++i) {
    if (const double owed_s = time_left.owed_after(kStep_s); owed_s > 0) {
      left_s += owed_s;
      time_left.had(owed_s);
    }
    if (rest_s > 0) time_left.had(rest_s);
  }
  return left_s / (steps * kStep_s);
}

TEST(TimeLeft, AnEngineThatNeverRestsLeavesItsShare) {
  EXPECT_NEAR(share_left(0, 10'000), TimeLeft::kShare, 1e-3);
}

TEST(TimeLeft, RestCountsTowardsTheShare) {
  EXPECT_EQ(share_left(0.1 * kStep_s, 10'000), 0) << "a tenth is more than the share";
  EXPECT_NEAR(share_left(0.05 * kStep_s, 10'000), TimeLeft::kShare - 0.05, 1e-3);
}

TEST(TimeLeft, ALongRestIsNotSavedUpForEver) {
  TimeLeft time_left;
  time_left.had(3600);
  double worked_s = 0;
  for (; time_left.owed_after(kStep_s) == 0; worked_s += kStep_s) ASSERT_LT(worked_s, 60);
  EXPECT_NEAR(worked_s, (TimeLeft::kHad_s + TimeLeft::kTurnMin_s) / TimeLeft::kShare, 2 * kStep_s);
}

TEST(TimeLeft, WhatWakingUpTookCounts) {
  TimeLeft time_left;
  double owed_s = 0;
  while ((owed_s = time_left.owed_after(kStep_s)) == 0) continue;
  time_left.had(owed_s + 0.08);
  double worked_s = kStep_s;
  for (; time_left.owed_after(kStep_s) == 0; worked_s += kStep_s) ASSERT_LT(worked_s, 60);
  EXPECT_NEAR(worked_s, (0.08 + TimeLeft::kTurnMin_s) / TimeLeft::kShare, 2 * kStep_s);
}

TEST(TimeLeft, NobodyIsOwedWhatOthersWere) {
  TimeLeft time_left;
  time_left.had(10);
  time_left.clear();
  EXPECT_EQ(time_left.owed_after(0.01), 0) << "below the least turn";
  EXPECT_GT(time_left.owed_after(0.1), 0);
}

}  // namespace
}  // namespace plinth::engine
