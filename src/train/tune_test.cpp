#include <malloc.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "core/rng.h"
#include "model/adapter_lineage.h"
#include "model/adapter_math.h"
#include "train/measure.h"
#include "train/run_files.h"
#include "train/train.h"
#include "train/tune_for_tests.h"

namespace plinth::train {
namespace {

TEST_F(Tune, LowersTheHeldOutLossAndWritesAnAdapterThatOpens) {
  recipe_.steps = 30;
  const auto summary = run("run");
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_LT(summary->heldout, 0.8 * summary->heldout_before);
  const auto adapter = model::Adapter::open(summary->adapter, base_->config());
  ASSERT_TRUE(adapter) << adapter.error().message;
  EXPECT_EQ((*adapter)->layers[0][0].rank, 4);
  EXPECT_EQ((*adapter)->layers[0][0].scale, 2.0f);
  const auto lineage = parse_json(read_text(folder_ / "run/lineage.json"), "lineage");
  ASSERT_TRUE(lineage);
  EXPECT_EQ((*lineage)["base_sha256"], base_->digest());
  EXPECT_EQ((*lineage)["dataset_sha256"].get<std::string>().size(), 64u);
}

TEST_F(Tune, GoesOnAfterKillWithTheSameLosses) {
  recipe_.replay = {folder_ / "general.jsonl"};
  recipe_.replay_share = 0.2;
  ASSERT_TRUE(run("whole"));
  hooks_.train.on_step = [&](const StepReport& report) {
    if (report.step == 8) copy_run(folder_ / "again", folder_ / "killed");
  };
  ASSERT_TRUE(run("again"));
  hooks_.train.on_step = nullptr;
  const auto resumed = run("killed");
  ASSERT_TRUE(resumed) << resumed.error().message;
  EXPECT_EQ(losses_of(folder_ / "killed"), losses_of(folder_ / "whole"));
  EXPECT_EQ(read_text(folder_ / "killed/adapter/adapter_model.safetensors"),
            read_text(folder_ / "whole/adapter/adapter_model.safetensors"));
}

TEST_F(Tune, StopsInsideAStepAndLosesNothing) {
  ASSERT_TRUE(run("whole"));
  int asked = 0;
  hooks_.train.stop = [&] { return ++asked == 12; };
  const auto stopped = run("run");
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Code::kCancelled);
  hooks_.train.stop = nullptr;
  ASSERT_TRUE(run("run"));
  EXPECT_EQ(losses_of(folder_ / "run"), losses_of(folder_ / "whole"));
}

TEST_F(Tune, KeepsTheAdapterWithTheLowestHeldOutLoss) {
  recipe_.lr = 0.5;  // goes astray at once
  recipe_.steps = 12;
  recipe_.eval_every = 1;
  const auto summary = run("run");
  ASSERT_TRUE(summary) << summary.error().message;
  double lowest = 1e9;
  for (const auto& line : losses_of(folder_ / "run"))
    lowest = std::min(lowest, (*parse_json(line, "line"))[3].get<double>());
  EXPECT_EQ(summary->heldout, lowest);
}

TEST_F(Tune, RefusesOtherDataInTheSameFolder) {
  ASSERT_TRUE(run("run"));
  write_text(folder_ / "rows.jsonl", read_text(folder_ / "rows.jsonl") + "{\"text\": \"x\"}\n");
  const auto refused = run("run");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("data.sha256"), std::string::npos)
      << refused.error().message;
}

TEST_F(Tune, LossesDoNotDependOnTheSizeOfMicroBatches) {
  recipe_.steps = 3;
  const auto two = run("two");
  recipe_.micro_tokens = 256;
  const auto one = run("one");
  ASSERT_TRUE(two && one);
  EXPECT_NEAR(two->loss, one->loss, 1e-5);
}

// The base is frozen, so its stored type decides only how exact its numbers are.
TEST_F(Tune, LearnsOverABaseOfAnyStoredType) {
  recipe_.steps = 6;
  const auto exact = run("exact");
  ASSERT_TRUE(exact);
  for (const auto type : {tensor::DType::kF16, tensor::DType::kBF16, tensor::DType::kQ8_0}) {
    const std::string name(tensor::dtype_name(type));
    const Path path = folder_ / (name + ".gguf");
    ASSERT_TRUE(model::write_gguf(path, *base_, type, Json::object()));
    const auto stored = model::Model::open(path);
    ASSERT_TRUE(stored) << stored.error().message;
    ASSERT_EQ((*stored)->weights().layers[0].linear[0].type, type);
    const auto summary = tune(*stored, recipe_, folder_ / name, hooks_);
    ASSERT_TRUE(summary) << summary.error().message;
    EXPECT_NEAR(summary->loss, exact->loss, 0.02 * exact->loss) << name;
  }
}

TEST_F(Tune, NamesWhatDiffersFromTheCheckpointsRecipe) {
  ASSERT_TRUE(run("run"));
  recipe_.rank = 8;
  const auto refused = run("run");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  EXPECT_NE(refused.error().message.find("was made with lora.rank = 4, the recipe says 8"),
            std::string::npos)
      << refused.error().message;
}

TEST_F(Tune, RefusesTheCheckpointOfAnotherBase) {
  ASSERT_TRUE(run("run"));
  const auto before = read_text(folder_ / "run/metrics.jsonl");
  const Path other = folder_ / "other.gguf";
  ASSERT_TRUE(model::write_gguf(other, *base_, tensor::DType::kBF16, Json::object()));
  const auto base = model::Model::open(other);
  ASSERT_TRUE(base) << base.error().message;
  const auto refused = tune(*base, recipe_, folder_ / "run", hooks_);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("was made with base.sha256 = " + base_->digest()),
            std::string::npos)
      << refused.error().message;
  EXPECT_EQ(read_text(folder_ / "run/metrics.jsonl"), before) << "a refused run changes nothing";
}

// A run never begins anew behind its owner's back.
TEST_F(Tune, RefusesToBeginAnewOverDamagedCheckpoints) {
  ASSERT_TRUE(run("run"));
  const auto before = read_text(folder_ / "run/metrics.jsonl");
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "run"))
    if (entry.path().extension() == ".bin") write_text(entry.path(), "torn");
  const auto refused = run("run");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kDataLoss);
  EXPECT_NE(refused.error().message.find("none of the 2 checkpoints"), std::string::npos)
      << refused.error().message;
  EXPECT_EQ(read_text(folder_ / "run/metrics.jsonl"), before);
}

// Noise among rows that are soon learnt: its loss is far above theirs. The run goes back and never
// sees it again; killed at any time it goes on as it would have.
TEST_F(Tune, LeavesOutDataThatItDivergesOn) {
  std::string rows;
  for (int i = 0; i < 80; ++i)
    rows +=
        fmt::format("{{\"text\": \"abababababababababababababababababababababababab{}\"}}\n", i);
  Rng rng(5);
  std::string noise;
  for (int i = 0; i < 70; ++i) noise += static_cast<char>('A' + rng.below(26));
  write_text(folder_ / "rows.jsonl", rows + "{\"text\": \"" + noise + "\"}\n");
  recipe_.batch_tokens = recipe_.micro_tokens = 96;
  recipe_.heldout_share = 0;
  recipe_.steps = 170;  // a row a step, so two epochs: in the first the noise may come too early
  std::vector<std::string> said;
  hooks_.train.on_event = [&](const std::string& what) { said.push_back(what); };
  hooks_.train.on_step = [&](const StepReport& report) {
    if (report.step == 100) copy_run(folder_ / "whole", folder_ / "killed");
    if (report.step == 169) copy_run(folder_ / "whole", folder_ / "later");  // has gone back by now
  };
  ASSERT_TRUE(run("whole"));
  hooks_.train.on_step = nullptr;
  ASSERT_FALSE(said.empty()) << "the test would prove nothing";
  EXPECT_NE(said[0].find("going back to step"), std::string::npos) << said[0];
  EXPECT_EQ(losses_of(folder_ / "whole").size(), 170u);
  const auto lineage = parse_json(read_text(folder_ / "whole/lineage.json"), "lineage");
  ASSERT_TRUE(lineage);
  EXPECT_EQ((*lineage)["steps_undone"].size(), said.size());
  const size_t times = said.size();
  ASSERT_TRUE(run("killed"));
  EXPECT_EQ(losses_of(folder_ / "killed"), losses_of(folder_ / "whole"));
  // What monitoring is told goes on, too.
  ASSERT_TRUE(run("later"));
  for (const char* folder : {"whole", "killed", "later"})
    EXPECT_NE(
        read_text(folder_ / folder / "metrics.prom")
            .find(fmt::format("plinth_train_divergences_total{{run=\"{}\"}} {}\n", folder, times)),
        std::string::npos)
        << read_text(folder_ / folder / "metrics.prom");
}

TEST_F(Tune, EndsEarlyAndKeepsTheBest) {
  recipe_.lr = 0.3;  // learns, then unlearns
  recipe_.divergences_max = 0;
  recipe_.steps = 200;
  recipe_.eval_every = 2;
  recipe_.patience = 3;
  const auto summary = run("run");
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_LT(summary->steps, 200);
  EXPECT_EQ(summary->steps, summary->best_step + 3 * recipe_.eval_every);
}

TEST_F(Tune, TheLossOfAnAdapterIsTheSameWhoeverMeasuresIt) {
  recipe_.heldout_share = 0.2;
  const auto summary = run("run");
  ASSERT_TRUE(summary) << summary.error().message;
  const auto adapter = model::Adapter::open(summary->adapter, base_->config());
  ASSERT_TRUE(adapter);
  const auto rows = MeasuredRows::read(*base_, recipe_.files, hooks_.chat);
  ASSERT_TRUE(rows) << rows.error().message;
  const double base_loss = rows->loss(*base_, nullptr);
  EXPECT_LT(rows->loss(*base_, adapter->get()), base_loss);
  // In the base's weights it is the same.
  const auto whole = model::merged(base_, **adapter);
  ASSERT_TRUE(whole);
  EXPECT_NEAR(rows->loss(**whole, nullptr), rows->loss(*base_, adapter->get()), 1e-5);
}

TEST_F(Tune, WritesItsLineageIntoBothAdapters) {
  const auto summary = run("run");
  ASSERT_TRUE(summary) << summary.error().message;
  const auto folder = model::read_lineage(summary->adapter);
  const auto gguf = model::read_lineage(folder_ / "run/adapter.gguf");
  ASSERT_TRUE(folder && gguf);
  EXPECT_EQ(*folder, *gguf);
  EXPECT_EQ(folder->at("plinth.base_sha256"), base_->digest());
  EXPECT_EQ(folder->at("plinth.dataset_sha256").size(), 64u);
  EXPECT_EQ(folder->at("plinth.recipe_sha256").size(), 64u);
  EXPECT_EQ(folder->at("plinth.seed"), "1");
  EXPECT_TRUE(model::Adapter::open(folder_ / "run/adapter.gguf", base_->config()));
}

// Resuming never begins the data anew: the samples of the steps behind a checkpoint are those that
// an unbroken run would see.
TEST_F(Tune, ResumesWithTheDataThatWasDue) {
  recipe_.steps = 40;  // several epochs
  recipe_.checkpoint_every = 7;
  ASSERT_TRUE(run("whole"));
  for (const int64_t at : {1, 7, 20, 39}) {
    hooks_.train.stop = [this, at] {
      return static_cast<int64_t>(losses_of(folder_ / "run").size()) >= at;
    };
    std::filesystem::remove_all(folder_ / "run");
    ASSERT_FALSE(run("run")) << "stopped at " << at;
    hooks_.train.stop = nullptr;
    ASSERT_TRUE(run("run"));
    EXPECT_EQ(losses_of(folder_ / "run"), losses_of(folder_ / "whole")) << at;
  }
}

// What the process comes to hold at most while `run` goes, beyond what it held before. -1: this
// system does not tell.
int64_t growth_of_peak(const std::function<void()>& run) {
  const auto kilobytes_of = [](const std::string& key) {
    std::ifstream in("/proc/self/status");
    for (std::string line; std::getline(in, line);)
      if (line.starts_with(key)) return std::stoll(line.substr(key.size()));
    return -1LL;
  };
  malloc_trim(0);
  std::ofstream reset("/proc/self/clear_refs");
  reset << 5 << std::flush;
  const int64_t before = kilobytes_of("VmRSS:");
  if (!reset || before < 0) return -1;
  run();
  return (kilobytes_of("VmHWM:") - before) * 1024;
}

// Measuring packs the held-out rows as training does: however many they are, never more rows at
// once than train.micro_tokens, which bounds the memory of both.
TEST_F(Tune, MeasuringNeedsNoMoreMemoryThanTraining) {
  recipe_.steps = 2;
  recipe_.eval_every = 1;
  recipe_.heldout_share = 0.5;
  std::string rows;
  for (int i = 0; i < 3000; ++i)
    rows += fmt::format(R"({{"instruction": "{}", "output": "it is {}"}})", i, i + 1) + "\n";
  write_text(folder_ / "rows.jsonl", rows);
  const int64_t small = growth_of_peak([&] { ASSERT_TRUE(run("small")); });
  if (small < 0) GTEST_SKIP() << "the peak of memory cannot be measured here";
  recipe_.micro_tokens = 1 << 20;  // all held-out rows at once, and steps as they were
  const int64_t large = growth_of_peak([&] { ASSERT_TRUE(run("large")); });
  EXPECT_GT(large, int64_t{48} << 20) << "the test would prove nothing";
  EXPECT_LT(small, large / 2);
}

TEST_F(Tune, RefusesABudgetThatCannotHold) {
  recipe_.memory = 1000;
  const auto refused = run("run");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kResourceExhausted);
  EXPECT_NE(refused.error().message.find("1 kB is too small"), std::string::npos)
      << refused.error().message;
  recipe_.memory = int64_t{1} << 40;
  EXPECT_TRUE(run("run"));
}

TEST_F(Tune, RefusesASequenceBeyondTheContext) {
  recipe_.sequence = 1000;
  recipe_.batch_tokens = recipe_.micro_tokens = 1000;
  const auto refused = run("run");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("context 128"), std::string::npos);
}

}  // namespace
}  // namespace plinth::train
