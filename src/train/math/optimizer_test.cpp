#include "train/math/optimizer.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "train/math/schedule.h"

namespace plinth::train {
namespace {

TEST(Schedule, WarmsUpThenFollowsACosineToTheFloor) {
  const Schedule cosine{ScheduleKind::kCosine, 1.0, 10, 110, 0.0, 0.1};
  EXPECT_DOUBLE_EQ(learning_rate(cosine, 1), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate(cosine, 10), 1.0);
  EXPECT_NEAR(learning_rate(cosine, 60), 0.55, 1e-12);
  EXPECT_NEAR(learning_rate(cosine, 110), 0.1, 1e-12);
  EXPECT_NEAR(learning_rate(cosine, 500), 0.1, 1e-12);
}

TEST(Schedule, StaysConstantThenDecaysInAStraightLine) {
  const Schedule wsd{ScheduleKind::kWsd, 2.0, 10, 100, 0.2, 0.05};
  EXPECT_DOUBLE_EQ(learning_rate(wsd, 11), 2.0);
  EXPECT_DOUBLE_EQ(learning_rate(wsd, 80), 2.0);
  EXPECT_NEAR(learning_rate(wsd, 90), 2.0 * (0.05 + 0.95 * 0.5), 1e-12);
  EXPECT_NEAR(learning_rate(wsd, 100), 0.1, 1e-12);
}

TEST(Schedule, NeedsNoWarmUp) {
  EXPECT_DOUBLE_EQ(learning_rate({ScheduleKind::kWsd, 1.0, 0, 10, 0.0, 0.05}, 1), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate({ScheduleKind::kWsd, 1.0, 0, 1, 1.0, 0.05}, 1), 0.05);
}

struct Problem {
  Problem() {
    parameters.add("decayed", 1, 16, /*decay=*/true);
    parameters.add("plain", 1, 16, /*decay=*/false);
    parameters.allocate();
    for (float& value : parameters.values()) value = 1.0f;
  }

  void set_gradients(float gradient) {
    for (float& value : parameters.gradients()) value = gradient;
  }

  Parameters parameters;
};

TEST(Optimizer, DecaysOnlyWhatIsToDecay) {
  Problem problem;
  Optimizer optimizer(tensor::default_ops(), problem.parameters, {.weight_decay = 0.5});
  optimizer.step(problem.parameters, 0.1);  // no gradient: only decay acts
  EXPECT_FLOAT_EQ(problem.parameters.values()[0], 0.95f);
  EXPECT_FLOAT_EQ(problem.parameters.values()[16], 1.0f);
}

TEST(Optimizer, ClipsByTheGlobalNorm) {
  Problem clipped;
  Problem scaled;
  Optimizer with(tensor::default_ops(), clipped.parameters, {.clip = 1.0});
  Optimizer without(tensor::default_ops(), scaled.parameters, {.clip = 0.0});
  clipped.set_gradients(3.0f);
  scaled.set_gradients(static_cast<float>(1.0 / std::sqrt(32.0)));
  EXPECT_NEAR(with.step(clipped.parameters, 0.1), 3.0 * std::sqrt(32.0), 1e-5);
  without.step(scaled.parameters, 0.1);
  for (size_t i = 0; i < 32; ++i)
    EXPECT_NEAR(with.second_moments()[i], without.second_moments()[i], 1e-8);
}

TEST(Optimizer, ClearsTheGradientsThatItUsed) {
  for (const auto kind : {OptimizerKind::kAdamW, OptimizerKind::kMuon}) {
    Problem problem;
    Optimizer optimizer(tensor::default_ops(), problem.parameters, {.kind = kind});
    problem.set_gradients(3.0f);
    optimizer.step(problem.parameters, 0.1);
    for (const float gradient : problem.parameters.gradients()) EXPECT_EQ(gradient, 0.0f);
  }
}

TEST(Optimizer, LeavesOutAnUpdateThatIsNotFinite) {
  Problem problem;
  Optimizer optimizer(tensor::default_ops(), problem.parameters, {});
  problem.set_gradients(std::numeric_limits<float>::quiet_NaN());
  EXPECT_TRUE(std::isnan(optimizer.step(problem.parameters, 0.1)));
  EXPECT_EQ(optimizer.steps(), 0);
  EXPECT_EQ(problem.parameters.values()[0], 1.0f);
  EXPECT_EQ(problem.parameters.gradients()[0], 0.0f);
}

}  // namespace
}  // namespace plinth::train
