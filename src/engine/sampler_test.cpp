#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace plinth::engine {
namespace {

const std::vector<float> kLogits{1.0f, 3.0f, 2.0f, 0.0f};

int32_t choose(Sampling sampling, std::span<const float> logits, const TokenCounts& counts = {}) {
  return Sampler(std::move(sampling)).choose(logits, counts)->token;
}

// How often each token comes.
std::vector<double> shares(const Sampling& sampling, std::span<const float> logits, int draws) {
  Sampler sampler(sampling);
  std::vector<double> share(logits.size());
  for (int i = 0; i < draws; ++i)
    share[static_cast<size_t>(sampler.choose(logits, {})->token)] += 1.0 / draws;
  return share;
}

TEST(Sampler, GreedyTakesTheBestAndTheSmallerIdOfEquals) {
  EXPECT_EQ(choose({.temperature = 0}, kLogits), 1);
  EXPECT_EQ(choose({.temperature = 0}, std::vector<float>{1, 5, 5}), 1);
}

TEST(Sampler, NextToNoTemperatureIsGreedy) {
  for (const float temperature : {1e-30f, 1e-41f})
    EXPECT_EQ(choose({.temperature = temperature}, kLogits), 1) << temperature;
}

TEST(Sampler, DrawsFromTheSoftmax) {
  const auto share = shares({.temperature = 0.5f, .seed = 1}, kLogits, 100000);
  double total = 0;
  for (const float logit : kLogits) total += std::exp(logit / 0.5);
  for (size_t i = 0; i < kLogits.size(); ++i)
    EXPECT_NEAR(share[i], std::exp(kLogits[i] / 0.5) / total, 0.01);
}

TEST(Sampler, FiltersKeepTheBestCandidates) {
  const auto k = shares({.top_k = 2, .seed = 1}, kLogits, 2000);
  EXPECT_EQ(k[0] + k[3], 0);
  EXPECT_GT(k[2], 0.2);
  // Softmax of the logits: 0.087, 0.644, 0.237, 0.032.
  const auto p = shares({.top_p = 0.7f, .seed = 1}, kLogits, 2000);
  EXPECT_EQ(p[0] + p[3], 0);
  EXPECT_GT(p[2], 0.2);
  const auto all_but_one = shares({.top_p = 0.95f, .seed = 1}, kLogits, 2000);
  EXPECT_EQ(all_but_one[3], 0);
  EXPECT_GT(all_but_one[0], 0.05);
  const auto m = shares({.min_p = 0.3f, .seed = 1}, kLogits, 2000);
  EXPECT_EQ(m[0] + m[3], 0);
  EXPECT_GT(m[2], 0.2);
}

// Against sorting all of them; a logit that is no number is left out.
TEST(Sampler, OfManyTokensFiltersLeaveWhatSortingLeaves) {
  std::vector<float> logits(3000);
  Rng rng(3);
  for (float& logit : logits) logit = static_cast<float>(2 * rng.normal());
  logits[5] = std::nanf("");
  logits[7] = -std::numeric_limits<float>::infinity();
  std::vector<int32_t> order;
  for (int32_t i = 0; i < std::ssize(logits); ++i)
    if (i != 5 && i != 7) order.push_back(i);
  const auto weight = [&](int32_t id) {
    return std::exp((double{logits[static_cast<size_t>(id)]} - 5) / 1.5);
  };
  std::ranges::sort(order, [&](int32_t a, int32_t b) { return weight(a) > weight(b); });
  double total = 0;
  for (const int32_t id : order) total += weight(id);
  const auto left_by = [&](const Sampling& s) {
    std::vector<int32_t> left;
    double mass = 0;
    for (const int32_t id : order) {
      if (s.top_k > 0 && std::ssize(left) == s.top_k) break;
      if (weight(id) < s.min_p * weight(order[0]) || mass >= s.top_p * total) break;
      left.push_back(id);
      mass += weight(id);
    }
    return left;
  };
  for (const Sampling& filter : {Sampling{}, Sampling{.top_p = 0.6f}, Sampling{.top_k = 11},
                                 Sampling{.top_k = 100}, Sampling{.min_p = 0.2f}}) {
    Sampling sampling = filter;
    sampling.temperature = 1.5f;
    sampling.seed = 4;
    const auto left = left_by(sampling);
    const auto share = shares(sampling, logits, 20000);
    double mass = 0, seen = 0;
    for (const int32_t id : left) mass += weight(id);
    for (const int32_t id : left) {
      seen += share[static_cast<size_t>(id)];
      EXPECT_NEAR(share[static_cast<size_t>(id)], weight(id) / mass, 0.012);
    }
    EXPECT_NEAR(seen, 1, 1e-9) << left.size();
  }
}

TEST(Sampler, TypicalKeepsWhatSurprisesAsMuchAsExpected) {
  // Probabilities of 0.087, 0.644, 0.237, 0.032: surprises of 2.44, 0.44, 1.44, 3.44; 0.95 is
  // expected. So the order is 2 (off by 0.49), 1 (0.51), 0, 3: the likeliest is not the first.
  const auto one = shares({.typical_p = 0.2f, .seed = 1}, kLogits, 500);
  EXPECT_NEAR(one[2], 1, 1e-9);
  const auto two = shares({.typical_p = 0.5f, .seed = 1}, kLogits, 5000);
  EXPECT_EQ(two[0] + two[3], 0);
  EXPECT_NEAR(two[1] / two[2], 0.644 / 0.237, 0.3);
  const std::vector<float> sure{0.0f, 2000.0f, -std::numeric_limits<float>::infinity()};
  EXPECT_EQ(choose({.typical_p = 0.5f}, sure), 1);
}

TEST(Sampler, NucleusOfAFlatDistributionReachesFar) {
  const std::vector<float> flat(5000, 0.0f);
  const auto share = shares({.top_p = 0.5f, .seed = 1}, flat, 500);
  double far = 0;
  for (size_t i = 2000; i < 2500; ++i) far += share[i];
  EXPECT_NEAR(far, 0.2, 0.1);
  for (size_t i = 2501; i < flat.size(); ++i) EXPECT_EQ(share[i], 0);
}

TEST(Sampler, SameSeedSameTokens) {
  Sampler a({.seed = 9});
  Sampler b({.seed = 9});
  Sampler c({.seed = 10});
  int same = 0;
  for (int i = 0; i < 200; ++i) {
    const int32_t token = a.choose(kLogits, {})->token;
    EXPECT_EQ(token, b.choose(kLogits, {})->token);
    same += token == c.choose(kLogits, {})->token ? 1 : 0;
  }
  EXPECT_LT(same, 200);
}

TEST(Sampler, BiasAndPenaltiesMoveTheChoice) {
  EXPECT_EQ(choose({.temperature = 0, .logit_bias = {{3, 10.0f}}}, kLogits), 3);
  TokenCounts counts;
  counts.add_prompt(1);
  EXPECT_EQ(choose({.temperature = 0, .repetition_penalty = 2}, kLogits, counts), 2);
  EXPECT_EQ(choose({.temperature = 0, .presence_penalty = 2}, kLogits, counts), 1)
      << "presence counts the answer only";
  counts.add_answer(1);
  EXPECT_EQ(choose({.temperature = 0, .presence_penalty = 1.5f}, kLogits, counts), 2);
  EXPECT_EQ(choose({.temperature = 0, .frequency_penalty = 0.8f}, kLogits, counts), 1);
  counts.add_answer(1);
  EXPECT_EQ(choose({.temperature = 0, .frequency_penalty = 0.8f}, kLogits, counts), 2);
}

TEST(Sampler, LogProbabilitiesAreTheModelsOwn) {
  Sampler sampler({.temperature = 0, .logit_bias = {{3, 10.0f}}, .top_logprobs = 2});
  const auto choice = sampler.choose(kLogits, {});
  double total = 0;
  for (const float logit : kLogits) total += std::exp(static_cast<double>(logit));
  EXPECT_NEAR(choice->logprob, 0.0 - std::log(total), 1e-6);
  ASSERT_EQ(choice->top.size(), 2u);
  EXPECT_EQ(choice->top[0].first, 1);
  EXPECT_NEAR(choice->top[0].second, 3.0 - std::log(total), 1e-6);
  EXPECT_EQ(choice->top[1].first, 2);
}

TEST(Sampler, LogitsThatAreNotNumbersAreAnError) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(Sampler({}).choose(std::vector<float>{nan, nan}, {}));
  EXPECT_EQ(choose({.temperature = 1}, std::vector<float>{nan, 1.0f, nan}), 1);
}

TEST(Sampling, RefusesWhatMakesNoSense) {
  EXPECT_TRUE(Sampling().check());
  EXPECT_FALSE(Sampling{.temperature = -1}.check());
  EXPECT_FALSE(Sampling{.temperature = std::numeric_limits<float>::quiet_NaN()}.check());
  EXPECT_FALSE(Sampling{.top_p = 0}.check());
  EXPECT_FALSE(Sampling{.top_k = -1}.check());
  EXPECT_FALSE(Sampling{.typical_p = 0}.check());
  EXPECT_FALSE(Sampling{.typical_p = 1.5f}.check());
  EXPECT_FALSE(Sampling{.repetition_penalty = 0}.check());
  EXPECT_FALSE((Sampling{.logit_bias = {{1, 1000.0f}}}).check());
}

}  // namespace
}  // namespace plinth::engine
