#include "train/run_loop.h"

#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "train/run_files.h"

namespace plinth::train {
namespace {

// A run without a model: what it would lose is a table, its state two numbers.
class FakeRun : public SoloRun {
 public:
  int64_t steps_done() const override { return step_; }

  Result<StepReport> step() override {
    while (skipped.contains(cursor_)) ++cursor_;
    tried_ = cursor_++;
    seen.push_back(tried_);
    StepReport report;
    report.step = ++step_;
    report.steps = 20;
    report.loss = faults.contains(tried_) ? fault : 2.0 - 0.01 * static_cast<double>(step_);
    report.gradient_norm = gradient_faults.contains(tried_) ? 1e3 : 1.0;
    report.seconds = 1;
    return report;
  }

  Result<double> heldout() override {
    ++evaluations_;
    return evaluations_ <= 2 ? 2.0 - evaluations_ : 3.0;
  }

  bool wants_stop() const override { return patience > 0 && evaluations_ >= 2 + patience; }

  Result<int64_t> go_back(const std::string& reason) override {
    reasons.push_back(reason);
    skipped.insert(tried_);
    step_ = saved_step_;
    cursor_ = saved_cursor_;
    return static_cast<int64_t>(reasons.size());
  }

  Status save() override {
    saved_step_ = step_;
    saved_cursor_ = cursor_;
    return {};
  }

  std::set<int64_t> faults, gradient_faults;  // cursors
  double fault = std::numeric_limits<double>::quiet_NaN();
  int patience = 0;
  std::set<int64_t> skipped;
  std::vector<int64_t> seen;
  std::vector<std::string> reasons;

 private:
  int64_t step_ = 0;
  int64_t cursor_ = 0;
  int64_t tried_ = 0;
  int64_t saved_step_ = 0;
  int64_t saved_cursor_ = 0;
  int evaluations_ = 0;
};

class TheLoop : public testing::Test {
 protected:
  Result<LoopResult> go(int64_t divergences_max = 3) {
    hooks_.on_event = [this](const std::string& what) { said_ += what + "\n"; };
    return run_loop(run_, {temp_.path(), 20, 4, 5, divergences_max}, hooks_);
  }

  TempDirectory temp_ = *TempDirectory::create();
  FakeRun run_;
  TrainHooks hooks_;
  std::string said_;
};

TEST_F(TheLoop, GoesBackFromANumberThatIsNoneAndLeavesItsDataOut) {
  run_.faults = {6};
  const auto done = go();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(run_.steps_done(), 20);
  EXPECT_EQ(run_.reasons, std::vector<std::string>{"step 7: the loss is nan"});
  // Back to the checkpoint after step 4; 4 and 5 again, then 7.
  EXPECT_EQ(std::vector<int64_t>(run_.seen.begin(), run_.seen.begin() + 10),
            (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 4, 5, 7}));
  EXPECT_NE(said_.find("step 7: the loss is nan; going back to step 4"), std::string::npos)
      << said_;
  // Each step stands once in the metrics.
  const auto lines = losses_of(temp_.path());
  ASSERT_EQ(lines.size(), 20u);
  EXPECT_NE(read_text(temp_.path() / "metrics.prom")
                .find("# TYPE plinth_train_divergences_total counter\n"),
            std::string::npos);
}

TEST_F(TheLoop, GoesBackFromASpikeOfTheLoss) {
  run_.faults = {14};
  run_.fault = 9;
  const auto done = go();
  ASSERT_TRUE(done) << done.error().message;
  ASSERT_EQ(run_.reasons.size(), 1u);
  EXPECT_NE(run_.reasons[0].find("the loss is 9.000"), std::string::npos) << run_.reasons[0];
}

TEST_F(TheLoop, GoesBackFromASpikeOfTheGradient) {
  run_.gradient_faults = {13};
  ASSERT_TRUE(go());
  ASSERT_EQ(run_.reasons.size(), 1u);
  EXPECT_NE(run_.reasons[0].find("the gradient norm is 1e+03"), std::string::npos)
      << run_.reasons[0];
}

TEST_F(TheLoop, EndsWhenItGoesBackTooOften) {
  run_.faults = {6, 7, 8};
  const auto done = go(2);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kFailedPrecondition);
  EXPECT_NE(done.error().message.find("gone back 2 times already (train.divergences_max)"),
            std::string::npos)
      << done.error().message;
}

TEST_F(TheLoop, LooksForNothingWhenItMayNotGoBack) {
  run_.faults = {6};
  run_.fault = 100;
  ASSERT_TRUE(go(0));
  EXPECT_TRUE(run_.reasons.empty());
}

TEST_F(TheLoop, StopsWhenTheHeldOutLossNoLongerFalls) {
  run_.patience = 1;
  ASSERT_TRUE(go());
  EXPECT_EQ(run_.steps_done(), 15);
  EXPECT_NE(said_.find("step 15: the held-out loss no longer falls"), std::string::npos) << said_;
  // And stays stopped.
  ASSERT_TRUE(go());
  EXPECT_EQ(run_.steps_done(), 15);
}

TEST_F(TheLoop, WritesAReportWithTheCurvesAndNothingFromOutside) {
  ASSERT_TRUE(go());
  const auto page = read_text(temp_.path() / "report.html");
  EXPECT_NE(page.find("<svg"), std::string::npos);
  EXPECT_NE(page.find("held-out"), std::string::npos);
  for (const char* outside : {"<script", "<link", "src=", "url("})
    EXPECT_EQ(page.find(outside), std::string::npos) << outside;
}

}  // namespace
}  // namespace plinth::train
