#include "model/rope_scaling.h"

#include <cmath>

#include <gtest/gtest.h>

namespace plinth::model {
namespace {

std::string refusal(const RopeScaling& scaling) {
  const auto status = scaling.check(8);
  return status ? "accepted" : status.error().message;
}

TEST(RopeScaling, WithoutOneFrequenciesAreThePowersOfTheta) {
  const auto frequencies = rope_frequencies(8, 10000.0, {});
  ASSERT_EQ(frequencies.size(), 4u);
  for (size_t i = 0; i < 4; ++i)
    EXPECT_FLOAT_EQ(frequencies[i], static_cast<float>(std::pow(0.1, i)));
}

TEST(RopeScaling, LinearAndDivisorsDivide) {
  RopeScaling scaling{.kind = RopeScalingKind::kLinear, .factor = 4};
  scaling.divisors = {1, 2, 1, 5};
  const auto frequencies = rope_frequencies(8, 10000.0, scaling);
  EXPECT_FLOAT_EQ(frequencies[0], 0.25f);
  EXPECT_FLOAT_EQ(frequencies[1], 0.0125f);
  EXPECT_FLOAT_EQ(frequencies[3], 0.00005f);
}

TEST(RopeScaling, Llama3KeepsShortWavesAndDividesLongOnes) {
  // Waves of 6.3, 62.8, 628 and 6283 tokens against 128.
  const RopeScaling scaling{.kind = RopeScalingKind::kLlama3,
                            .factor = 8,
                            .original_context = 128,
                            .low_frequency = 1,
                            .high_frequency = 4};
  const auto frequencies = rope_frequencies(8, 10000.0, scaling);
  EXPECT_FLOAT_EQ(frequencies[0], 1.0f);
  EXPECT_GT(frequencies[1], 0.1f / 8);
  EXPECT_LT(frequencies[1], 0.1f);
  EXPECT_FLOAT_EQ(frequencies[2], 0.01f / 8);
  EXPECT_FLOAT_EQ(frequencies[3], 0.001f / 8);
}

TEST(RopeScaling, YarnStaysBetweenKeepingAndDividing) {
  const RopeScaling scaling{.kind = RopeScalingKind::kYarn, .factor = 4, .original_context = 32768};
  const auto plain = rope_frequencies(128, 1e6, {});
  const auto frequencies = rope_frequencies(128, 1e6, scaling);
  EXPECT_EQ(frequencies.front(), plain.front());
  EXPECT_FLOAT_EQ(frequencies.back(), plain.back() / 4);
  for (size_t i = 0; i < plain.size(); ++i) {
    EXPECT_LE(frequencies[i], plain[i]);
    EXPECT_GE(frequencies[i], plain[i] / 4 * 0.999999f);
  }
  EXPECT_NEAR(yarn_magnitude(4), 1.138629, 1e-6);
  EXPECT_EQ(yarn_magnitude(0.5), 1.0);
}

TEST(RopeScaling, RefusesNumbersThatMakeNoSense) {
  const auto kind = [](RopeScalingKind which) {
    return RopeScaling{.kind = which, .factor = 2, .original_context = 64};
  };
  EXPECT_EQ(refusal(kind(RopeScalingKind::kYarn)), "accepted");
  auto scaling = kind(RopeScalingKind::kLinear);
  scaling.factor = NAN;
  EXPECT_EQ(refusal(scaling), "RoPE scaling factor nan is outside 0.001..10000");
  scaling = kind(RopeScalingKind::kLlama3);
  scaling.original_context = 0;
  EXPECT_EQ(refusal(scaling), "RoPE original context 0 is outside 1..16777216");
  scaling = kind(RopeScalingKind::kLlama3);
  scaling.low_frequency = 4;
  EXPECT_EQ(refusal(scaling), "RoPE frequency factors 4 and 4 are not rising in 0.001..10000");
  scaling = kind(RopeScalingKind::kYarn);
  scaling.beta_slow = 100;
  EXPECT_EQ(refusal(scaling), "RoPE betas 100 and 32 are not rising in 0.001..10000");
  scaling = kind(RopeScalingKind::kYarn);
  scaling.magnitude = -1;
  EXPECT_EQ(refusal(scaling), "RoPE attention factor -1 is outside 0.001..1000");
  scaling = {};
  scaling.divisors = {1, 0, 1, 1};
  EXPECT_EQ(refusal(scaling), "RoPE divisor 0 is outside 1e-6..1e6");
  scaling.divisors = {1};
  EXPECT_EQ(refusal(scaling), "1 RoPE divisors for 4 pairs");
}

}  // namespace
}  // namespace plinth::model
