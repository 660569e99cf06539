#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "core/rng.h"
#include "train/run_files.h"
#include "train/train.h"

namespace plinth::train {
namespace {

// Sentences with a pattern that a tiny model can find.
std::string make_text(int documents) {
  Rng rng(5);
  const char* subjects[] = {"the crane", "a pump", "the old valve", "this boiler"};
  const char* verbs[] = {"lifts", "drives", "holds", "heats"};
  const char* objects[] = {"water", "steel", "oil and gas", "the load"};
  std::string text;
  for (int d = 0; d < documents; ++d) {
    for (int s = 0; s < 3; ++s)
      text += fmt::format("{} {} {} {}.\n", subjects[rng.below(4)], verbs[rng.below(4)],
                          objects[rng.below(4)], rng.below(100));
    text += "\n";
  }
  return text;
}

class Pretrain : public testing::Test {
 protected:
  void SetUp() override {
    write_text(folder_ / "text.txt", make_text(300));
    auto& model = recipe_.model;
    model.name = "tiny";
    model.architecture = "qwen3";
    model.qk_norm = true;
    model.tied = true;
    model.vocabulary = recipe_.vocabulary = 300;
    model.width = 16;
    model.layers = 2;
    model.heads = 2;
    model.kv_heads = 1;
    model.head_dim = 8;
    model.ffn = 24;
    model.context = 32;
    Source source;
    source.name = "text";
    source.path = folder_ / "text.txt";
    recipe_.sources = {source};
    recipe_.heldout_mod = 10;
    recipe_.sequence = 16;
    recipe_.batch_tokens = 64;
    recipe_.micro_tokens = 32;
    recipe_.steps = 12;
    recipe_.warmup_steps = 3;
    recipe_.lr = 1e-2;
    recipe_.checkpoint_every = 3;
    recipe_.eval_every = 4;
  }

  Result<PretrainSummary> run(const Path& name, const TrainHooks& hooks = {}) {
    return pretrain(recipe_, folder_ / name, {}, hooks);
  }

  TempDirectory temp_ = *TempDirectory::create();
  Path folder_ = temp_.path();
  PretrainRecipe recipe_;
};

TEST_F(Pretrain, LearnsAndWritesABaseThatOpens) {
  recipe_.steps = 60;
  const auto summary = run("run");
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_LT(summary->loss, 4.5);  // log(300) = 5.7 before anything is learnt
  EXPECT_LT(summary->heldout_nats, 4.5);
  EXPECT_EQ(summary->tokens, 60 * 64);
  const auto base = model::Model::open(summary->base);
  ASSERT_TRUE(base) << base.error().message;
  EXPECT_EQ((*base)->config().width, 16);
  EXPECT_EQ((*base)->chat_template(), chatml_template());
  EXPECT_GE((*base)->tokenizer().special_id("<|im_end|>"), 0);
  const auto lineage = parse_json(read_text(folder_ / "run/lineage.json"), "lineage");
  ASSERT_TRUE(lineage);
  EXPECT_EQ((*lineage)["recipe"]["model.width"], "16");
}

TEST_F(Pretrain, GoesOnAfterKillWithTheSameLosses) {
  ASSERT_TRUE(run("whole"));
  TrainHooks kill;
  kill.on_step = [&](const StepReport& report) {
    if (report.step == 8) copy_run(folder_ / "whole2", folder_ / "killed");
  };
  ASSERT_TRUE(run("whole2", kill));
  EXPECT_EQ(losses_of(folder_ / "killed").size(), 8u);
  const auto resumed = run("killed");
  ASSERT_TRUE(resumed) << resumed.error().message;
  EXPECT_EQ(losses_of(folder_ / "killed"), losses_of(folder_ / "whole"));
  EXPECT_EQ(read_text(folder_ / "killed/base.gguf"), read_text(folder_ / "whole/base.gguf"));
}

// A document of noise among some that are soon learnt: its loss is far above theirs. The run goes
// back and never reads it again; killed at any time it goes on as it would have.
TEST_F(Pretrain, LeavesOutDataThatItDivergesOn) {
  std::string text;
  for (int i = 0; i < 200; ++i)
    text += fmt::format("abababababababababababababababababababababababab {}\n\n", i);
  Rng rng(5);
  for (int i = 0; i < 100; ++i) text += static_cast<char>('!' + rng.below(90));
  write_text(folder_ / "text.txt", text + "\n");
  recipe_.vocabulary = 262;  // as many as such a text has
  recipe_.model.vocabulary = 262;
  recipe_.heldout_mod = 40;
  recipe_.batch_tokens = recipe_.micro_tokens = 16;
  recipe_.checkpoint_every = 20;
  recipe_.steps = 600;  // some epochs: in the first the noise may come too early
  recipe_.divergences_max = 30;
  std::vector<std::string> said;
  TrainHooks hooks;
  hooks.on_event = [&](const std::string& what) { said.push_back(what); };
  hooks.on_step = [&](const StepReport& report) {
    if (report.step == 410) copy_run(folder_ / "whole", folder_ / "killed");
  };
  const auto whole = run("whole", hooks);
  ASSERT_TRUE(whole) << whole.error().message;
  ASSERT_FALSE(said.empty()) << "the test would prove nothing";
  EXPECT_NE(said[0].find("going back to step"), std::string::npos) << said[0];
  EXPECT_EQ(losses_of(folder_ / "whole").size(), 600u);
  const auto lineage = parse_json(read_text(folder_ / "whole/lineage.json"), "lineage");
  ASSERT_TRUE(lineage);
  EXPECT_EQ((*lineage)["steps_undone"].size(), said.size());
  EXPECT_NE(read_text(folder_ / "whole/report.html").find("Steps undone"), std::string::npos);
  ASSERT_TRUE(run("killed"));
  EXPECT_EQ(losses_of(folder_ / "killed"), losses_of(folder_ / "whole"));
  EXPECT_EQ(read_text(folder_ / "killed/base.gguf"), read_text(folder_ / "whole/base.gguf"));
}

TEST_F(Pretrain, ALossThatIsNoNumberIsUndoneUntilItComesTooOften) {
  recipe_.lr = 1e38;
  recipe_.warmup_steps = 0;
  recipe_.divergences_max = 2;
  std::vector<std::string> said;
  TrainHooks hooks;
  hooks.on_event = [&](const std::string& what) { said.push_back(what); };
  const auto ended = run("run", hooks);
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, Code::kFailedPrecondition);
  EXPECT_NE(ended.error().message.find("gone back 2 times already (train.divergences_max)"),
            std::string::npos)
      << ended.error().message;
  ASSERT_EQ(said.size(), 2u);
  EXPECT_NE(said[0].find("is nan"), std::string::npos) << said[0];
}

TEST_F(Pretrain, StopsWhenAskedAndSaysWhere) {
  ASSERT_TRUE(run("whole"));
  TrainHooks hooks;
  int64_t step = 0;
  hooks.on_step = [&](const StepReport& report) { step = report.step; };
  hooks.stop = [&] { return step == 5; };
  const auto stopped = run("run", hooks);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Code::kCancelled);
  EXPECT_NE(stopped.error().message.find("after step 5 of 12"), std::string::npos)
      << stopped.error().message;
  ASSERT_TRUE(run("run"));
  EXPECT_EQ(losses_of(folder_ / "run"), losses_of(folder_ / "whole"));
}

TEST_F(Pretrain, TakesTheCheckpointBeforeADamagedOne) {
  ASSERT_TRUE(run("whole"));
  copy_run(folder_ / "whole", folder_ / "damaged");
  const Path newest = folder_ / "damaged/checkpoint-0000012.bin";
  std::string bytes = read_text(newest);
  bytes[bytes.size() / 2] ^= 1;
  write_text(newest, bytes);
  ASSERT_TRUE(run("damaged"));
  EXPECT_EQ(losses_of(folder_ / "damaged"), losses_of(folder_ / "whole"));
}

TEST_F(Pretrain, ExtendsARunButRefusesAnotherRecipe) {
  ASSERT_TRUE(run("run"));
  recipe_.steps = 15;
  const auto extended = run("run");
  ASSERT_TRUE(extended) << extended.error().message;
  EXPECT_EQ(extended->steps, 15);
  recipe_.lr = 2e-2;
  const auto refused = run("run");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  EXPECT_NE(refused.error().message.find("train.lr = 0.01, the recipe says 0.02"),
            std::string::npos)
      << refused.error().message;
  recipe_.lr = 1e-2;
  recipe_.heldout_mod = 11;
  const auto other_data = run("run");
  ASSERT_FALSE(other_data);
  EXPECT_NE(other_data.error().message.find("data.heldout_mod"), std::string::npos);
}

TEST_F(Pretrain, LossesDoNotDependOnTheSizeOfMicroBatches) {
  recipe_.steps = 3;
  const auto two = run("two");
  recipe_.micro_tokens = 64;
  const auto one = run("one");
  ASSERT_TRUE(two && one);
  EXPECT_NEAR(two->loss, one->loss, 1e-5);
}

TEST_F(Pretrain, KeepsHeldOutDocumentsOutOfTheTraining) {
  recipe_.steps = 1;
  ASSERT_TRUE(run("run"));
  const std::string heldout = read_text(folder_ / "run/heldout.txt");
  EXPECT_GT(heldout.size(), 100u);
  const auto tokenizer = text::Tokenizer::from_json(read_text(folder_ / "run/tokenizer.json"));
  ASSERT_TRUE(tokenizer);
  const std::string bytes = read_text(folder_ / "run/tokens.bin");
  std::vector<int32_t> ids;
  for (size_t i = 0; i + 1 < bytes.size(); i += 2)
    ids.push_back(static_cast<unsigned char>(bytes[i]) | static_cast<unsigned char>(bytes[i + 1])
                                                             << 8);
  const std::string trained = (*tokenizer)->decode(ids);
  for (size_t begin = 0; begin < heldout.size();) {
    const size_t end = heldout.find("\n\n", begin);
    EXPECT_EQ(trained.find(heldout.substr(begin, end - begin)), std::string::npos);
    begin = end + 2 + (heldout[end + 2] == '\n' ? 1 : 0);
  }
}

TEST_F(Pretrain, RefusesASecondRunInTheSameFolder) {
  TrainHooks hooks;
  Code second = Code::kInternal;
  hooks.on_step = [&](const StepReport& report) {
    if (report.step == 1) second = run("run").error().code;
  };
  ASSERT_TRUE(run("run", hooks));
  EXPECT_EQ(second, Code::kFailedPrecondition);
}

TEST(PretrainRecipe, NamesWhatIsWrong) {
  const auto temp = *TempDirectory::create();
  const Path path = temp.path() / "recipe.toml";
  const auto message = [&](const std::string& text) {
    write_text(path, text);
    const auto recipe = PretrainRecipe::read(path);
    return recipe ? std::string("fine") : recipe.error().message;
  };
  const std::string model =
      "[model]\nlayers = 1\nwidth = 8\nheads = 1\nkv_heads = 1\nhead_dim = 8\nffn = 8\n"
      "context = 256\n";
  const std::string source = "[[data.source]]\npath = \"a.txt\"\n";
  EXPECT_EQ(message(model + source), "fine");
  EXPECT_NE(message(model + source + "kind = \"pdf\"\n").find("kind"), std::string::npos);
  EXPECT_NE(message(model + source + "[train]\nlearning = 1\n").find("learning"),
            std::string::npos);
  EXPECT_NE(message(model + source + "[train]\nsequence = 512\n").find("context"),
            std::string::npos);
  EXPECT_NE(message(model).find("data.source"), std::string::npos);
}

}  // namespace
}  // namespace plinth::train
