// Several recipes in one run: each as alone, bit for bit, whatever becomes of the others.
#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "core/rng.h"
#include "train/chat_for_tests.h"
#include "train/run_files.h"
#include "train/train.h"

namespace plinth::train {
namespace {

class Together : public testing::Test {
 protected:
  void SetUp() override {
    auto base = model::Model::open(Path(PLINTH_SOURCE_DIR) / "tests/golden/train/base");
    ASSERT_TRUE(base) << base.error().message;
    base_ = *base;
    std::string sums, texts, pairs;
    for (int i = 0; i < 80; ++i) {
      sums += fmt::format(R"({{"instruction": "{}+1?", "output": "it is {} #{}"}})", i % 10,
                          i % 10 + 1, i) +
              "\n";
      texts += fmt::format(R"({{"text": "row {} of general words, {} in all"}})", i, i * 7) + "\n";
      pairs += fmt::format(R"({{"prompt": "{}+1?", "chosen": "{} #{}", "rejected": "no"}})", i % 10,
                           i % 10 + 1, i) +
               "\n";
    }
    write_text(folder_ / "sums.jsonl", sums);
    write_text(folder_ / "texts.jsonl", texts);
    write_text(folder_ / "pairs.jsonl", pairs);

    TuneRecipe recipe;
    recipe.files = {folder_ / "sums.jsonl"};
    recipe.rank = 4;
    recipe.alpha = 8;
    recipe.sequence = 96;
    recipe.batch_tokens = 256;
    recipe.micro_tokens = 128;  // two or three micro-batches a step
    recipe.steps = 10;
    recipe.lr = 1e-2;
    recipe.checkpoint_every = 3;
    recipe.eval_every = 4;
    add("sums", recipe);

    recipe.files = {folder_ / "texts.jsonl"};
    recipe.rank = 7;
    recipe.targets = {"q_proj", "down_proj", "embed_tokens", "lm_head"};
    recipe.batch_tokens = 96;
    recipe.micro_tokens = 512;  // most steps are one micro-batch
    recipe.steps = 25;
    recipe.checkpoint_every = 5;
    recipe.neftune_alpha = 5;
    recipe.weight_decay = 0.1;
    add("texts", recipe);

    recipe.targets = {"v_proj", "lm_head"};
    recipe.neftune_alpha = 0;
    recipe.files = {folder_ / "sums.jsonl"};
    recipe.replay = {folder_ / "texts.jsonl"};
    recipe.replay_share = 0.3;
    recipe.replay_target = ReplayTarget::kBase;
    recipe.seed = 9;
    recipe.steps = 14;
    add("anchored", recipe);
  }

  void add(const std::string& name, const TuneRecipe& recipe) {
    TuneHooks hooks;
    hooks.chat = chatml(base_->tokenizer());
    members_.push_back({name, recipe, folder_ / name, hooks});
  }

  // Each into a folder of its own, one after the other.
  void run_alone() {
    for (const auto& member : members_) {
      const auto done =
          tune(base_, member.recipe, folder_ / ("alone-" + member.name), member.hooks);
      ASSERT_TRUE(done) << member.name << ": " << done.error().message;
    }
  }

  void expect_as_alone(const std::string& name) {
    EXPECT_EQ(losses_of(folder_ / name), losses_of(folder_ / ("alone-" + name))) << name;
    EXPECT_EQ(read_text(folder_ / name / "adapter/adapter_model.safetensors"),
              read_text(folder_ / ("alone-" + name) / "adapter/adapter_model.safetensors"))
        << name;
  }

  TempDirectory temp_ = *TempDirectory::create();
  Path folder_ = temp_.path();
  std::shared_ptr<const model::Model> base_;
  std::vector<TuneMember> members_;
};

TEST_F(Together, EachLearnsWhatItLearnsAlone) {
  TuneRecipe pairs = members_[0].recipe;
  pairs.method = TuneMethod::kDpo;
  pairs.files = {folder_ / "pairs.jsonl"};
  pairs.micro_tokens = 256;
  pairs.lr = 1e-3;
  add("pairs", pairs);
  pairs.seed = 2;
  add("pairs-2", pairs);
  run_alone();
  const auto results = tune_together(base_, members_);
  ASSERT_TRUE(results) << results.error().message;
  for (size_t i = 0; i < members_.size(); ++i) {
    ASSERT_TRUE((*results)[i]) << (*results)[i].error().message;
    expect_as_alone(members_[i].name);
  }
  EXPECT_EQ(losses_of(folder_ / "sums").size(), 10u);
  EXPECT_EQ(losses_of(folder_ / "texts").size(), 25u);
}

TEST_F(Together, GoesOnAfterKillWithTheSameLosses) {
  run_alone();
  // Between two checkpoints of each, and once one is done.
  for (const int64_t at : {8, 13}) {
    members_[1].hooks.train.on_step = [&](const StepReport& report) {
      if (report.step == at)
        for (const auto& member : members_)
          copy_run(member.run_dir, folder_ / ("killed-" + member.name));
    };
    for (const auto& member : members_) std::filesystem::remove_all(member.run_dir);
    ASSERT_TRUE(tune_together(base_, members_));
    members_[1].hooks.train.on_step = nullptr;
    for (const auto& member : members_)
      copy_run(folder_ / ("killed-" + member.name), member.run_dir);
    const auto resumed = tune_together(base_, members_);
    ASSERT_TRUE(resumed) << resumed.error().message;
    for (const auto& member : members_) expect_as_alone(member.name);
  }
}

TEST_F(Together, OneThatWasBegunAloneGoesOnInCompany) {
  run_alone();
  auto& first = members_[0];
  first.hooks.train.stop = [&] { return losses_of(first.run_dir).size() >= 4; };
  ASSERT_FALSE(tune(base_, first.recipe, first.run_dir, first.hooks));
  first.hooks.train.stop = nullptr;
  ASSERT_TRUE(tune_together(base_, members_));
  for (const auto& member : members_) expect_as_alone(member.name);
}

TEST_F(Together, OneThatFailsLeavesTheOthersGoing) {
  run_alone();
  members_[0].recipe.lr = std::numeric_limits<float>::max();
  members_[0].recipe.clip = 0;
  members_[0].recipe.divergences_max = 0;
  const auto results = tune_together(base_, members_);
  ASSERT_TRUE(results) << results.error().message;
  ASSERT_FALSE((*results)[0]);
  EXPECT_NE((*results)[0].error().message.find("lower train.lr"), std::string::npos);
  for (const size_t i : {1, 2}) {
    EXPECT_TRUE((*results)[i]);
    expect_as_alone(members_[i].name);
  }
}

TEST_F(Together, OneThatIsStoppedSavesAndLeavesTheOthersGoing) {
  run_alone();
  int asked = 0;
  members_[0].hooks.train.stop = [&] { return ++asked == 11; };
  auto results = tune_together(base_, members_);
  ASSERT_TRUE(results);
  ASSERT_FALSE((*results)[0]);
  EXPECT_EQ((*results)[0].error().code, Code::kCancelled);
  members_[0].hooks.train.stop = nullptr;
  for (const size_t i : {1, 2}) expect_as_alone(members_[i].name);
  results = tune_together(base_, members_);
  ASSERT_TRUE(results && (*results)[0]);
  expect_as_alone("sums");
}

TEST_F(Together, OneMayEndEarly) {
  auto& early = members_[1].recipe;
  early.lr = 0.3;  // learns, then unlearns
  early.divergences_max = 0;
  early.steps = 60;
  early.eval_every = 2;
  early.patience = 2;
  run_alone();
  const auto results = tune_together(base_, members_);
  ASSERT_TRUE(results && (*results)[1]);
  EXPECT_LT((*results)[1]->steps, 60);
  for (const auto& member : members_) expect_as_alone(member.name);
}

TEST_F(Together, RefusesByNameWhatCannotBeTrainedTogether) {
  const auto refusal = [&] {
    const auto results = tune_together(base_, members_);
    return results ? std::string() : results.error().message;
  };
  members_[1].recipe.method = TuneMethod::kFull;
  members_[1].recipe.neftune_alpha = 0;
  EXPECT_NE(refusal().find("texts: method \"full\" changes the base itself"), std::string::npos)
      << refusal();
  members_[1].recipe.method = TuneMethod::kLora;
  members_[2].run_dir = folder_ / "x" / ".." / "sums";
  EXPECT_NE(refusal().find("sums and anchored have one run folder"), std::string::npos)
      << refusal();
  members_[2].run_dir = folder_ / "anchored";
  members_[2].recipe.files = {folder_ / "missing.jsonl"};
  EXPECT_NE(refusal().find("anchored: "), std::string::npos) << refusal();
  EXPECT_FALSE(std::filesystem::exists(folder_ / "sums/metrics.jsonl")) << "nothing was begun";
}

}  // namespace
}  // namespace plinth::train
