#include "eval/verdict.h"

#include <gtest/gtest.h>

#include "core/json.h"

namespace plinth::eval {
namespace {

// `right` of 100 items, the first ones.
SuiteResult domain(int right) {
  SuiteResult result{.suite = "law", .kind = SuiteKind::kShort, .metric = "exact_match"};
  for (int i = 0; i < 100; ++i)
    result.items.push_back({.id = std::to_string(i), .score = i < right ? 1.0 : 0.0});
  result.interval.mean = right / 100.0;
  return result;
}

// 50 documents of 100 characters.
SuiteResult general(double bits_per_character) {
  SuiteResult result{.suite = "web", .kind = SuiteKind::kText, .metric = "bits_per_character"};
  for (int i = 0; i < 50; ++i)
    result.items.push_back({.id = std::to_string(i),
                            .score = bits_per_character,
                            .bits = bits_per_character * 100,
                            .characters = 100});
  result.interval.mean = bits_per_character;
  return result;
}

Result<Verdict> judge_four(const SuiteResult& domain_base, const SuiteResult& domain_tuned,
                           const SuiteResult& general_base, const SuiteResult& general_tuned) {
  return judge({domain_base, domain_tuned, general_base, general_tuned}, {.tolerance_bpc = 0.05});
}

TEST(Verdict, PassesAGainWithoutLoss) {
  const auto verdict = judge_four(domain(20), domain(60), general(4.0), general(4.01));
  ASSERT_TRUE(verdict) << verdict.error().message;
  EXPECT_TRUE(verdict->passed);
  EXPECT_NEAR(verdict->domain.gain.mean, 0.4, 1e-9);
  EXPECT_GT(verdict->domain.gain.lo, 0.25);
  EXPECT_NEAR(verdict->general.delta.mean, 0.01, 1e-9);
}

TEST(Verdict, FailsWithoutAClearGain) {
  const auto verdict = judge_four(domain(20), domain(21), general(4.0), general(4.0));
  EXPECT_FALSE(verdict->passed);
  EXPECT_EQ(verdict->reasons[0].check, "domain_gain");
  EXPECT_FALSE(verdict->reasons[0].passed);
  EXPECT_TRUE(verdict->reasons[1].passed);
}

TEST(Verdict, FailsWhenTheGeneralLegIsLost) {
  const auto verdict = judge_four(domain(20), domain(60), general(4.0), general(4.06));
  EXPECT_FALSE(verdict->passed);
  EXPECT_TRUE(verdict->reasons[0].passed);
  EXPECT_EQ(verdict->reasons[1].check, "general_retention");
  EXPECT_FALSE(verdict->reasons[1].passed);
  EXPECT_NEAR(verdict->reasons[1].value, 0.06, 1e-9);
  EXPECT_EQ(verdict->reasons[1].limit, 0.05);
}

TEST(Verdict, UncertaintyAboutTheLossCountsAgainst) {
  SuiteResult tuned = general(4.0);
  for (size_t i = 0; i < 50; i += 10)
    tuned.items[i].bits += 40;  // 0.04 in the mean, from few documents
  const auto verdict = judge_four(domain(20), domain(60), general(4.0), tuned);
  EXPECT_LT(verdict->general.delta.mean, 0.05);
  EXPECT_FALSE(verdict->passed);
}

TEST(Verdict, ATextSuiteGainsWhenItsBitsFall) {
  SuiteResult base = general(4.0);
  SuiteResult tuned = general(3.5);
  base.suite = tuned.suite = "law text";
  const auto verdict = judge_four(base, tuned, general(4.0), general(4.0));
  EXPECT_TRUE(verdict->passed);
  EXPECT_NEAR(verdict->domain.gain.lo, 0.5, 1e-9);
}

TEST(Verdict, RefusesToCompareDifferentThings) {
  SuiteResult other = domain(20);
  other.items[3].id = "else";
  EXPECT_FALSE(judge_four(domain(20), other, general(4), general(4)));
  other = domain(20);
  other.items.pop_back();
  EXPECT_FALSE(judge_four(domain(20), other, general(4), general(4)));
  EXPECT_FALSE(judge_four(domain(20), domain(20), domain(20), domain(20)));
}

TEST(Verdict, WritesWhatMachinesRead) {
  const auto verdict = judge_four(domain(20), domain(60), general(4.0), general(4.01));
  const auto folder = TempDirectory::create();
  ASSERT_TRUE(write_verdict(folder->path(), *verdict));
  const auto json = parse_json(*read_file(folder->path() / "verdict.json"), "verdict.json");
  ASSERT_TRUE(json);
  for (const char* key : {"base", "tuned", "gain", "lo", "hi", "items"})
    EXPECT_TRUE((*json)["domain"].contains(key)) << key;
  for (const char* key : {"base_bpc", "tuned_bpc", "delta", "lo", "hi", "tolerance"})
    EXPECT_TRUE((*json)["general"].contains(key)) << key;
  EXPECT_EQ((*json)["passed"], true);
  EXPECT_EQ((*json)["reasons"].size(), 2u);
  EXPECT_NE(render(*verdict).find("verdict: passed"), std::string::npos);
}

// A proof of one adapter releases no other one, nor the same with another strength.
TEST(Verdict, IsOfOneBaseAndOneAdapter) {
  const Path golden = Path(PLINTH_SOURCE_DIR) / "tests/golden/train";
  const auto base = *model::Model::open(golden / "base");
  const auto adapter = *model::Adapter::open(golden / "adapter", base->config());
  auto verdict = *judge_four(domain(20), domain(60), general(4.0), general(4.01));
  verdict.base = base->digest();
  verdict.adapter = identity_of(adapter.get());
  const std::string json = to_json_text(verdict);
  EXPECT_TRUE(check_proves(json, *base, adapter.get()));
  EXPECT_EQ(check_proves(json, *base, nullptr).error().code, Code::kFailedPrecondition);
  model::Adapter stronger = *adapter;
  for (model::LowRank* delta : delta_places(stronger)) delta->scale *= 2;
  const auto refused = check_proves(json, *base, &stronger);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("its adapter is"), std::string::npos);
  verdict.base = "another";
  EXPECT_FALSE(check_proves(to_json_text(verdict), *base, adapter.get()));
  for (const char* text : {"", "[]", "{}", R"({"passed": true})", R"({"model": 1})"})
    EXPECT_FALSE(check_proves(text, *base, adapter.get())) << text;
}

}  // namespace
}  // namespace plinth::eval
