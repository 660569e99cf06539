// What tuning does to the general ability of its base, and what holds it.
#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "train/tune_for_tests.h"

namespace plinth::train {
namespace {

// General rows that the base has learnt and the domain makes it forget.
class TuneGeneral : public Tune {
 protected:
  void SetUp() override {
    Tune::SetUp();
    std::string general;
    for (int i = 0; i < 200; ++i)
      general += fmt::format("{{\"text\": \"{}1+1? general {}\"}}\n", i, i * 7);
    write_text(folder_ / "general.jsonl", general);
    recipe_.replay = {folder_ / "general.jsonl"};
    recipe_.replay_share = 0.5;
    recipe_.steps = 30;
  }
};

TEST_F(TuneGeneral, StaysCloserToTheBaseWhenTheBaseIsTheTarget) {
  const auto text = run("text");
  ASSERT_TRUE(text) << text.error().message;
  recipe_.replay_target = ReplayTarget::kBase;
  const auto base = run("base");
  ASSERT_TRUE(base) << base.error().message;
  EXPECT_LT(std::abs(base->general - base->general_before),
            std::abs(text->general - text->general_before) / 2);
  EXPECT_LT(base->heldout, base->heldout_before);
}

TEST_F(TuneGeneral, LearnsTheReplayRowsBetterTheMoreTheyWeigh) {
  recipe_.replay_share = 0.2;
  const auto light = run("light");
  ASSERT_TRUE(light) << light.error().message;
  recipe_.replay_weight = 20;
  const auto heavy = run("heavy");
  ASSERT_TRUE(heavy) << heavy.error().message;
  EXPECT_LT(heavy->general, light->general);
  EXPECT_GT(heavy->heldout, light->heldout);
  EXPECT_LT(heavy->heldout, heavy->heldout_before);
}

// What a run forgets is seen while it goes: at every evaluation, wherever a run is watched.
TEST_F(TuneGeneral, TheGeneralLossIsMeasuredWithEveryHeldOutLoss) {
  std::vector<double> seen;
  hooks_.train.on_step = [&](const StepReport& report) {
    EXPECT_EQ(report.heldout >= 0, report.general >= 0) << report.step;
    if (report.general >= 0) seen.push_back(report.general);
  };
  const auto summary = run("run");
  ASSERT_TRUE(summary) << summary.error().message;
  ASSERT_EQ(seen.size(), 8u) << "every four of thirty steps, and the last";
  std::vector<double> written;
  std::istringstream lines(read_text(folder_ / "run/metrics.jsonl"));
  for (std::string line; std::getline(lines, line);)
    if (const auto json = parse_json(line, "metrics"); json && json->contains("general"))
      written.push_back((*json)["general"]);
  EXPECT_EQ(written, seen);
  EXPECT_NE(read_text(folder_ / "run/metrics.prom").find("plinth_train_general_loss"),
            std::string::npos);
}

TEST_F(Tune, LowersTheStrengthUntilTheGeneralRiseHolds) {
  // Noise of characters that the domain never uses: nothing to learn, and the domain takes their
  // probability.
  Rng rng(9);
  std::string general;
  for (int i = 0; i < 200; ++i) {
    std::string noise;
    for (int c = 0; c < 90; ++c) noise += static_cast<char>('A' + rng.below(26));
    general += fmt::format("{{\"text\": \"{}\"}}\n", noise);
  }
  write_text(folder_ / "general.jsonl", general);
  recipe_.replay = {folder_ / "general.jsonl"};
  recipe_.replay_target = ReplayTarget::kBase;
  recipe_.replay_share = 0.001;
  recipe_.steps = 300;
  const auto free = run("free");
  ASSERT_TRUE(free) << free.error().message;
  EXPECT_EQ(free->strength, 1);
  const double rise = free->general - free->general_before;
  ASSERT_GT(rise, 0.01) << "the test would prove nothing";

  recipe_.general_rise_max = rise / 4;
  const auto held = run("held");
  ASSERT_TRUE(held) << held.error().message;
  EXPECT_GT(held->strength, 0);
  EXPECT_LT(held->strength, 1);
  EXPECT_LE(held->general - held->general_before, rise / 4);
  EXPECT_LT(held->heldout, held->heldout_before);
  // What is written has the strength in its alpha.
  const auto config = parse_json(read_text(held->adapter / "adapter_config.json"), "config");
  ASSERT_TRUE(config);
  EXPECT_NEAR(number_or(*config, "lora_alpha", 0), 8 * held->strength, 1e-9);
}

TEST_F(Tune, AGeneralLimitNeedsGeneralRows) {
  recipe_.general_rise_max = 0.1;
  const auto refused = run("run");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("general_rise_max"), std::string::npos);
}

}  // namespace
}  // namespace plinth::train
