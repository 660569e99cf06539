// The methods of a tuning run beside plain LoRA: full, dpo, and what recipes may change of lora.
#include <cmath>
#include <string>

#include <gtest/gtest.h>

#include "core/rng.h"
#include "train/run_files.h"
#include "train/train.h"
#include "train/tune_for_tests.h"

namespace plinth::train {
namespace {

class Methods : public testing::Test {
 protected:
  void SetUp() override {
    open_base("tests/golden/train/base");
    Rng rng(2);
    std::string rows;
    std::string pairs;
    std::string texts;
    for (int i = 0; i < 80; ++i) {
      const auto a = static_cast<int>(rng.below(10));
      rows += fmt::format(
          R"({{"messages": [{{"role": "user", "content": "{}+1?"}}, {{"role": "assistant", "content": "it is {} #{}"}}]}})"
          "\n",
          a, a + 1, i);
      pairs += fmt::format(
          R"({{"prompt": "{}+1? #{}", "chosen": "it is {}", "rejected": "no idea, sorry"}})"
          "\n",
          a, i, a + 1);
      texts += fmt::format("{{\"text\": \"{} and {} make {} ({})\"}}\n", a, 1, a + 1, i);
    }
    write_text(folder_ / "rows.jsonl", rows);
    write_text(folder_ / "pairs.jsonl", pairs);
    write_text(folder_ / "texts.jsonl", texts);
    recipe_ = small_recipe(folder_ / "rows.jsonl");
    recipe_.sequence = 64;
  }

  void open_base(const Path& path) {
    auto base = model::Model::open(Path(PLINTH_SOURCE_DIR) / path);
    ASSERT_TRUE(base) << base.error().message;
    base_ = *base;
    hooks_.chat = chatml(base_->tokenizer());
  }

  Result<TuneSummary> run(const Path& name) { return tune(base_, recipe_, folder_ / name, hooks_); }

  void expect_refused(const std::string& name) {
    const auto refused = run("refused");
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find(name), std::string::npos) << refused.error().message;
  }

  // Killed after its eighth step and called again, a run ends with the same losses and the same
  // files.
  void expect_same_after_kill(const Path& result) {
    hooks_.train.on_step = nullptr;
    const auto whole = run("whole");
    ASSERT_TRUE(whole) << whole.error().message;
    hooks_.train.on_step = [&](const StepReport& report) {
      if (report.step == 8) copy_run(folder_ / "again", folder_ / "killed");
    };
    ASSERT_TRUE(run("again"));
    hooks_.train.on_step = nullptr;
    const auto resumed = run("killed");
    ASSERT_TRUE(resumed) << resumed.error().message;
    EXPECT_EQ(losses_of(folder_ / "killed"), losses_of(folder_ / "whole"));
    EXPECT_EQ(read_text(folder_ / "killed" / result), read_text(folder_ / "whole" / result));
    EXPECT_EQ(resumed->heldout, whole->heldout);
    EXPECT_EQ(resumed->preferred, whole->preferred);
  }

  TempDirectory temp_ = *TempDirectory::create();
  Path folder_ = temp_.path();
  std::shared_ptr<const model::Model> base_;
  TuneRecipe recipe_;
  TuneHooks hooks_;
};

TEST_F(Methods, FullWritesABaseThatOpensAndHasLearnt) {
  recipe_.method = TuneMethod::kFull;
  recipe_.lr = 3e-3;
  recipe_.steps = 30;
  const auto summary = run("run");
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_LT(summary->heldout, 0.8 * summary->heldout_before);
  EXPECT_TRUE(summary->adapter.empty());
  const auto written = model::Model::open(summary->model);
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ((*written)->weights().layers[0].linear[0].type, tensor::DType::kF32);
  // What is read back is what was measured: a step at rate zero starts from it.
  hooks_.chat = chatml((*written)->tokenizer());
  base_ = *written;
  recipe_.steps = 1;
  recipe_.lr = 0;
  const auto again = run("again");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_NEAR(again->heldout_before, summary->heldout, 1e-6 * summary->heldout);
}

TEST_F(Methods, FullOnTextsIsContinuedPretraining) {
  recipe_.method = TuneMethod::kFull;
  recipe_.files = {folder_ / "texts.jsonl"};
  recipe_.lr = 3e-3;
  recipe_.steps = 30;
  hooks_.chat = nullptr;
  const auto summary = run("run");
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_LT(summary->heldout, 0.8 * summary->heldout_before);
}

TEST_F(Methods, FullGoesOnAfterKillWithTheSameLosses) {
  recipe_.method = TuneMethod::kFull;
  recipe_.lr = 1e-3;
  recipe_.neftune_alpha = 5;
  expect_same_after_kill("model.gguf");
}

TEST_F(Methods, DpoStartsAtTheLogarithmOfTwoAndPrefersWhatIsChosen) {
  recipe_.method = TuneMethod::kDpo;
  recipe_.files = {folder_ / "pairs.jsonl"};
  recipe_.dpo_beta = 0.5;
  recipe_.steps = 30;
  const auto summary = run("run");
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_NEAR(summary->heldout_before, std::log(2.0), 1e-9);
  EXPECT_LT(summary->heldout, 0.2);
  EXPECT_EQ(summary->preferred, 1);
  EXPECT_TRUE(model::Adapter::open(summary->adapter, base_->config()));
  const auto first = parse_json(losses_of(folder_ / "run").front(), "line");
  ASSERT_TRUE(first);
  EXPECT_NEAR((*first)[1].get<double>(), std::log(2.0), 1e-6);
}

TEST_F(Methods, DpoGoesOnAfterKillWithTheSameLosses) {
  recipe_.method = TuneMethod::kDpo;
  recipe_.files = {folder_ / "pairs.jsonl"};
  recipe_.neftune_alpha = 5;
  recipe_.lr_ratio_b = 4;
  expect_same_after_kill("adapter/adapter_model.safetensors");
}

TEST_F(Methods, DpoDoesNotDependOnTheSizeOfMicroBatches) {
  recipe_.method = TuneMethod::kDpo;
  recipe_.files = {folder_ / "pairs.jsonl"};
  recipe_.steps = 3;
  const auto two = run("two");
  recipe_.micro_tokens = 256;
  const auto one = run("one");
  ASSERT_TRUE(two && one);
  EXPECT_NEAR(two->loss, one->loss, 1e-5);
}

TEST_F(Methods, LoraWithNoiseGoesOnAfterKillWithTheSameLosses) {
  recipe_.neftune_alpha = 5;
  recipe_.scaling = LoraScaling::kRankStabilised;
  recipe_.lr_ratio_b = 4;
  expect_same_after_kill("adapter/adapter_model.safetensors");
}

TEST_F(Methods, ARankStabilisedAdapterIsWrittenWithTheScaleItHad) {
  recipe_.scaling = LoraScaling::kRankStabilised;
  const auto summary = run("run");
  ASSERT_TRUE(summary) << summary.error().message;
  const auto adapter = model::Adapter::open(summary->adapter, base_->config());
  ASSERT_TRUE(adapter) << adapter.error().message;
  EXPECT_FLOAT_EQ((*adapter)->layers[0][0].scale, 8.0f / std::sqrt(4.0f));
}

TEST_F(Methods, Gpt2LearnsAnAdapterThatItsFusedLayersHold) {
  open_base("tests/golden/model/gpt2");
  recipe_.sequence = recipe_.micro_tokens = 80;
  const auto summary = run("run");
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_LT(summary->heldout, summary->heldout_before);
  const auto adapter = model::Adapter::open(summary->adapter, base_->config());
  ASSERT_TRUE(adapter) << adapter.error().message;
  EXPECT_EQ((*adapter)->layers[0][static_cast<size_t>(model::Linear::kK)].rank, 4);
  EXPECT_TRUE((*adapter)->layers[0][static_cast<size_t>(model::Linear::kGate)].empty());
  recipe_.targets = {"q_proj", "down_proj"};
  expect_refused("q_proj, k_proj and v_proj are one layer");
  recipe_.targets = {"gate_proj"};
  expect_refused("have none of these layers");
}

TEST_F(Methods, RefusesWhatAMethodCannotDo) {
  recipe_.targets = {"q_proj", "norm"};
  expect_refused(
      "lora.targets names norm, which is neither a linear layer nor embed_tokens or lm_head");
  recipe_.targets = {"q_proj"};
  recipe_.method = TuneMethod::kDpo;
  expect_refused("rows cannot be used");  // no pairs
  recipe_.files = {folder_ / "pairs.jsonl"};
  recipe_.micro_tokens = 100;
  expect_refused("a pair takes up to twice as much");
  recipe_.micro_tokens = 128;
  recipe_.replay = {folder_ / "rows.jsonl"};
  recipe_.replay_share = 0.1;
  expect_refused("data.replay");
  recipe_.method = TuneMethod::kFull;
  recipe_.replay_target = ReplayTarget::kBase;
  expect_refused("replay_target");
  recipe_.replay_target = ReplayTarget::kText;
  recipe_.lr_ratio_b = 2;
  expect_refused("lr_ratio_b");
}

TEST(Recipe, ReadsMethodsAndTheirRates) {
  const TempDirectory folder = *TempDirectory::create();
  const auto read = [&](const std::string& text) {
    write_text(folder.path() / "recipe.toml", text);
    return TuneRecipe::read(folder.path() / "recipe.toml");
  };
  const auto dpo = read(
      "method = \"dpo\"\n[data]\nfiles = [\"a\"]\n[dpo]\nbeta = 0.3\n[lora]\nscaling = \"rslora\"\n"
      "[train]\nlr_ratio_b = 16\nneftune_alpha = 5\n");
  ASSERT_TRUE(dpo) << dpo.error().message;
  EXPECT_EQ(dpo->method, TuneMethod::kDpo);
  EXPECT_EQ(dpo->lr, 5e-5);
  EXPECT_EQ(dpo->dpo_beta, 0.3);
  EXPECT_EQ(dpo->scaling, LoraScaling::kRankStabilised);
  EXPECT_EQ(dpo->lr_ratio_b, 16);
  EXPECT_EQ(dpo->neftune_alpha, 5);
  EXPECT_EQ(read("method = \"full\"\n")->lr, 2e-5);
  EXPECT_EQ(read("method = \"full\"\n[train]\nlr = 0.1\n")->lr, 0.1);
  EXPECT_EQ(read("")->lr, 5e-4);
  const auto refusal = [&](const std::string& text) {
    const auto recipe = read(text);
    return recipe ? "" : recipe.error().message;
  };
  const auto place = (folder.path() / "recipe.toml").string();
  EXPECT_EQ(refusal("\nmethod = \"ppo\"\n"),
            place + ":2: method = \"ppo\" is none of: lora, full, dpo");
  EXPECT_EQ(refusal("[train]\nmemory = \"4QB\"\n").find(place + ":2: train.memory \"4QB\" is not"),
            0u);
  EXPECT_EQ(refusal("[lora]\ntargets = [\"q_proj\", \"foo\"]\n")
                .find(place + ":2: lora.targets names foo, which is neither"),
            0u);
  EXPECT_EQ(refusal("[lora]\nranks = 4\n"), place + ":2: lora.ranks is not a known key");
}

}  // namespace
}  // namespace plinth::train
