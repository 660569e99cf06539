#include "eval/bootstrap.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "core/rng.h"

namespace plinth::eval {
namespace {

TEST(Bootstrap, SameSeedSameInterval) {
  const std::vector<double> scores{0, 1, 1, 0, 1, 0, 0, 1, 1, 1};
  const auto a = bootstrap_mean(scores, 500, 7);
  const auto b = bootstrap_mean(scores, 500, 7);
  EXPECT_EQ(a->lo, b->lo);
  EXPECT_EQ(a->hi, b->hi);
  EXPECT_EQ(a->mean, 0.6);
  EXPECT_LE(a->lo, a->mean);
  EXPECT_GE(a->hi, a->mean);
}

// For many items the interval is the normal one: mean -/+ 1.96 deviations of the mean.
TEST(Bootstrap, IntervalIsThatOfTheNormalApproximation) {
  std::vector<double> scores(2000);
  for (size_t i = 0; i < scores.size(); ++i) scores[i] = i % 4 == 0 ? 1 : 0;
  const auto interval = bootstrap_mean(scores, 4000, 1);
  const double deviation = std::sqrt(0.25 * 0.75 / 2000);
  EXPECT_NEAR(interval->lo, 0.25 - 1.96 * deviation, 0.1 * deviation);
  EXPECT_NEAR(interval->hi, 0.25 + 1.96 * deviation, 0.1 * deviation);
}

TEST(Bootstrap, CoversTheTruthAboutNineteenTimesOutOfTwenty) {
  Rng rng(1);
  int covered = 0;
  constexpr int kRounds = 400;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<double> scores(80);
    for (double& score : scores) score = 0.3 + rng.normal();
    const auto interval = bootstrap_mean(scores, 300, static_cast<uint64_t>(round));
    covered += interval->lo <= 0.3 && 0.3 <= interval->hi ? 1 : 0;
  }
  EXPECT_GT(covered, kRounds * 0.91);
  EXPECT_LT(covered, kRounds * 0.98);
}

TEST(Bootstrap, PairingSeesASmallGainThatMeansHide) {
  Rng rng(2);
  std::vector<double> a(100);
  std::vector<double> b(100);
  for (size_t i = 0; i < a.size(); ++i) {
    a[i] = 10 * rng.normal();
    b[i] = a[i] + 0.5 + 0.1 * rng.normal();
  }
  const auto gain = paired_bootstrap(a, b, 1000, 1);
  EXPECT_GT(gain->lo, 0.4);
  EXPECT_LT(gain->hi, 0.6);
  EXPECT_NEAR(paired_bootstrap(b, a, 1000, 1)->mean, -gain->mean, 1e-12);
}

TEST(Bootstrap, RatiosWeighItemsByTheirSize) {
  const std::vector<double> bits{10, 300};
  const std::vector<double> characters{10, 100};
  EXPECT_NEAR(bootstrap_ratio(bits, characters, 100, 1)->mean, 310.0 / 110, 1e-12);
}

TEST(Bootstrap, RefusesWhatHasNoAnswer) {
  const std::vector<double> none;
  const std::vector<double> one{1};
  const std::vector<double> two{1, 2};
  EXPECT_FALSE(bootstrap_mean(none, 100, 1));
  EXPECT_FALSE(bootstrap_mean(one, 0, 1));
  EXPECT_FALSE(paired_bootstrap(one, one, 100, 1));
  EXPECT_FALSE(paired_bootstrap(one, two, 100, 1));
  EXPECT_FALSE(bootstrap_ratio(one, std::vector<double>{0}, 100, 1));
}

}  // namespace
}  // namespace plinth::eval
