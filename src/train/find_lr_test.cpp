#include "train/find_lr.h"

#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "train/chat_for_tests.h"
#include "train/run_files.h"
#include "train/suggest.h"

namespace plinth::train {
namespace {

constexpr int64_t kPlenty = int64_t{1} << 40;

class FindLr : public testing::Test {
 protected:
  void SetUp() override {
    auto base = model::Model::open(Path(PLINTH_SOURCE_DIR) / "tests/golden/train/base");
    ASSERT_TRUE(base) << base.error().message;
    base_ = *base;
    std::string rows;
    for (int i = 0; i < 120; ++i)
      rows += fmt::format(R"({{"instruction": "{}+1?", "output": "it is {} #{}"}})", i % 10,
                          i % 10 + 1, i) +
              "\n";
    write_text(temp_.path() / "rows.jsonl", rows);
    recipe_.files = {temp_.path() / "rows.jsonl"};
    recipe_.rank = 4;
    recipe_.alpha = 8;
    recipe_.sequence = 96;
    recipe_.batch_tokens = 256;
    recipe_.micro_tokens = 128;
    recipe_.heldout_share = 0.2;
    hooks_.chat = chatml(base_->tokenizer());
  }

  TempDirectory temp_ = *TempDirectory::create();
  std::shared_ptr<const model::Model> base_;
  TuneRecipe recipe_;
  TuneHooks hooks_;
};

TEST_F(FindLr, SuggestsARateWithinTheRangeThatLearns) {
  const auto test = find_learning_rate(base_, recipe_, {1e-5, 10.0, 50}, hooks_);
  ASSERT_TRUE(test) << test.error().message;
  ASSERT_GT(test->points.size(), 20u);
  EXPECT_NEAR(test->points[0].learning_rate, 1e-5, 1e-9);
  for (size_t i = 1; i < test->points.size(); ++i)
    EXPECT_GT(test->points[i].learning_rate, test->points[i - 1].learning_rate);
  EXPECT_GT(test->suggested, 1e-4);
  EXPECT_LT(test->suggested, 1.0);

  recipe_.lr = test->suggested;
  recipe_.steps = 20;
  const auto run = tune(base_, recipe_, temp_.path() / "run", hooks_);
  ASSERT_TRUE(run) << run.error().message;
  EXPECT_LT(run->heldout, run->heldout_before);
}

TEST_F(FindLr, RefusesARangeThatIsNone) {
  EXPECT_FALSE(find_learning_rate(base_, recipe_, {1e-2, 1e-3, 10}, hooks_));
  EXPECT_FALSE(find_learning_rate(base_, recipe_, {0, 1e-3, 10}, hooks_));
}

class SweepTest : public FindLr {
 protected:
  void SetUp() override {
    FindLr::SetUp();
    recipe_.steps = 8;
  }

  std::vector<TuneMember> members(const Path& folder) {
    return sweep_members(recipe_, {{2, 4}, {1e-5, 1e-2}, {}}, temp_.path() / folder, hooks_);
  }
};

TEST_F(SweepTest, PicksTheLowestHeldOutLossAndRunsNothingTwice) {
  const auto first = sweep(base_, members("sweep"), kPlenty);
  ASSERT_TRUE(first) << first.error().message;
  ASSERT_EQ(first->results.size(), 4u);
  for (const auto& result : first->results)
    EXPECT_GE(result->heldout, first->results[first->best]->heldout);
  EXPECT_EQ(members("sweep")[first->best].recipe.lr, 1e-2);
  int64_t steps = 0;
  hooks_.train.on_step = [&](const StepReport&) { ++steps; };
  const auto second = sweep(base_, members("sweep"), kPlenty);
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(steps, 0);
  EXPECT_EQ(second->best, first->best);

  recipe_.heldout_share = 0;
  EXPECT_FALSE(sweep(base_, members("other"), kPlenty));
}

TEST_F(SweepTest, EachCombinationIsWhatItIsAloneHoweverManyFit) {
  ASSERT_TRUE(sweep(base_, members("together"), kPlenty));
  ASSERT_TRUE(sweep(base_, members("in turn"), 1));
  for (const auto& member : members("alone")) {
    ASSERT_TRUE(tune(base_, member.recipe, member.run_dir, hooks_));
    for (const char* other : {"together", "in turn"}) {
      const Path run = temp_.path() / other / member.name;
      EXPECT_EQ(losses_of(run), losses_of(member.run_dir)) << run;
      EXPECT_EQ(read_text(run / "adapter/adapter_model.safetensors"),
                read_text(member.run_dir / "adapter/adapter_model.safetensors"))
          << run;
    }
  }
}

// Steps of a batch are interleaved, those of runs in turn are not.
TEST_F(SweepTest, TrainsTogetherWhatFitsIntoMemory) {
  std::string order;
  const auto run = [&](const Path& folder, int64_t memory) {
    order.clear();
    auto all = members(folder);
    for (size_t i = 0; i < all.size(); ++i)
      all[i].hooks.train.on_step = [&order, i](const StepReport&) {
        order += static_cast<char>('a' + i);
      };
    EXPECT_TRUE(sweep(base_, all, memory));
  };
  run("together", kPlenty);
  EXPECT_EQ(order.substr(0, 8), "abcdabcd");
  run("in turn", 1);
  EXPECT_EQ(order.substr(0, 9), "aaaaaaaab");
  recipe_.method = TuneMethod::kFull;  // a base each
  recipe_.lr = 1e-4;
  run("full", kPlenty);
  EXPECT_EQ(order.substr(0, 9), "aaaaaaaab");
}

TEST_F(SweepTest, ReadsTheRowsOnceForAllThatTrainTogether) {
  int64_t rendered = 0;
  hooks_.chat = [&rendered, render = hooks_.chat](const Conversation& conversation, bool prompt) {
    ++rendered;
    return render(conversation, prompt);
  };
  ASSERT_TRUE(tune(base_, recipe_, temp_.path() / "alone", hooks_));
  const int64_t once = rendered;
  ASSERT_GT(once, 0);
  rendered = 0;
  ASSERT_TRUE(sweep(base_, members("sweep"), kPlenty));
  EXPECT_EQ(rendered, once);
}

TEST_F(SweepTest, ACombinationThatFailsLeavesTheOthersToCompare) {
  recipe_.clip = 0;
  recipe_.divergences_max = 0;
  auto all = members("sweep");
  all[1].recipe.lr = std::numeric_limits<float>::max();
  const auto made = sweep(base_, all, kPlenty);
  ASSERT_TRUE(made) << made.error().message;
  ASSERT_FALSE(made->results[1]);
  EXPECT_NE(made->results[1].error().message.find("lower train.lr"), std::string::npos);
  EXPECT_EQ(made->best, 3u);
  all.erase(all.begin());
  all.resize(1);
  EXPECT_FALSE(sweep(base_, all, kPlenty)) << "there is nothing to compare";
}

TEST_F(FindLr, DataAndBaseAloneMakeARecipeThatLearns) {
  TuneRecipe plain;
  plain.files = recipe_.files;
  const auto made = suggest(*base_, plain, hooks_);
  ASSERT_TRUE(made) << made.error().message;
  ASSERT_TRUE(made->recipe.check());
  EXPECT_LE(made->recipe.sequence, base_->config().context);
  EXPECT_EQ(made->recipe.sequence % 32, 0);
  EXPECT_NE(made->why.find("120 samples"), std::string::npos) << made->why;
  EXPECT_EQ(made->recipe.epochs, 6) << "the set is small";
  EXPECT_EQ(made->recipe.batch_tokens, std::max<int64_t>(1024, made->recipe.sequence));
  EXPECT_EQ(made->recipe.lr, 8e-3) << "and the base narrow";
  const auto run = tune(base_, made->recipe, temp_.path() / "run", hooks_);
  ASSERT_TRUE(run) << run.error().message;
  EXPECT_LT(run->heldout, run->heldout_before);
  EXPECT_EQ(run->data.truncated_samples, 0);
}

// General rows alone are enough to hold the general leg.
TEST_F(FindLr, GeneralRowsMakeARecipeThatKeepsThem) {
  TuneRecipe plain;
  plain.files = recipe_.files;
  std::string general;
  for (int i = 0; i < 100; ++i) general += fmt::format("{{\"text\": \"general {}\"}}\n", i * 7);
  write_text(temp_.path() / "general.jsonl", general);
  plain.replay = {temp_.path() / "general.jsonl"};
  plain.replay_share = 0.25;
  const auto made = suggest(*base_, plain, hooks_);
  ASSERT_TRUE(made) << made.error().message;
  const auto& chosen = made->recipe;
  ASSERT_TRUE(chosen.check());
  EXPECT_EQ(chosen.replay_target, ReplayTarget::kBase);
  EXPECT_NE(made->why.find("25 % general rows, whose loss may rise by"), std::string::npos)
      << made->why;
  const auto run = tune(base_, chosen, temp_.path() / "run", hooks_);
  ASSERT_TRUE(run) << run.error().message;
  EXPECT_LT(run->heldout, run->heldout_before);
  EXPECT_LE(run->general - run->general_before, chosen.general_rise_max);
}

}  // namespace
}  // namespace plinth::train
