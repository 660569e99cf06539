#include "eval/divergence.h"

#include <cmath>

#include <gtest/gtest.h>

#include "core/check.h"
#include "eval/test_y_sayer.h"

namespace plinth::eval {
namespace {

std::unique_ptr<engine::Engine> start(const std::shared_ptr<const model::Model>& model) {
  auto engine = engine::Engine::start(model, {.kv_bytes = 1 << 20});
  PLINTH_CHECK(engine.has_value(), "{}", engine.error().message);
  return *std::move(engine);
}

Suite text(std::string words) {
  return {.name = "words", .kind = SuiteKind::kText, .items = {{.id = "1", .text = words}}};
}

// ln of the probability of y, and of any other token of the 257.
double log_y(double logit) {
  return logit - std::log(std::exp(logit) + 256);
}

double log_other(double logit) {
  return -std::log(std::exp(logit) + 256);
}

TEST(Divergence, IsTheSumOverTheVocabulary) {
  const auto model = start(y_sayer(2));
  const auto reference = start(y_sayer(5));
  const auto result = divergence({*model}, {*reference}, text("y, no, y"), 1);
  ASSERT_TRUE(result) << result.error().message;
  const double expected = std::exp(log_y(5)) * (log_y(5) - log_y(2)) +
                          256 * std::exp(log_other(5)) * (log_other(5) - log_other(2));
  EXPECT_NEAR(result->nats.mean, expected, 1e-5);
  EXPECT_EQ(result->same_best, 1);
  EXPECT_EQ(result->positions, 8);
  // One of the seven tokens that follow another is y.
  EXPECT_NEAR(result->nats_per_token, -(log_y(2) + 6 * log_other(2)) / 7, 1e-5);
  EXPECT_NEAR(result->nats_per_token_reference, -(log_y(5) + 6 * log_other(5)) / 7, 1e-5);
}

TEST(Divergence, OfAModelFromItselfIsNothing) {
  const auto one = start(y_sayer(3));
  const auto result = divergence({*one}, {*one}, text(std::string(500, 'n')), 1);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->nats.mean, 0);
  EXPECT_EQ(result->nats.lo, 0);
  EXPECT_EQ(result->nats.hi, 0);
}

TEST(Divergence, ANegativePreferenceChangesTheBestToken) {
  const auto model = start(y_sayer(-1));
  const auto reference = start(y_sayer(1));
  EXPECT_EQ(divergence({*model}, {*reference}, text("yes"), 1)->same_best, 0);
}

TEST(Divergence, RefusesWhatCannotBeCompared) {
  const auto one = start(y_sayer(3));
  const auto refused = [&](const Suite& suite) {
    const auto result = divergence({*one}, {*one}, suite, 1);
    return result ? "" : result.error().message;
  };
  EXPECT_EQ(refused(text("y")), "suite words: has 1 tokens");
  Suite questions{.name = "exam", .kind = SuiteKind::kChoice};
  EXPECT_NE(refused(questions).find("measured on text"), std::string::npos);
}

}  // namespace
}  // namespace plinth::eval
