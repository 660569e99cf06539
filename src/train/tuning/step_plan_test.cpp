#include "train/tuning/step_plan.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "core/rng.h"
#include "train/data/packing.h"

namespace plinth::train {
namespace {

// Samples of 2 to 65 tokens, some of them only partly learnt.
std::vector<Sample> samples_of(int64_t n, bool replay, Rng& rng) {
  std::vector<Sample> samples(static_cast<size_t>(n));
  for (auto& sample : samples) {
    sample.tokens.assign(2 + rng.below(64), 7);
    sample.learned.assign(sample.tokens.size(), false);
    std::fill(sample.learned.end() - static_cast<std::ptrdiff_t>(sample.tokens.size() / 2),
              sample.learned.end(), true);
    sample.replay = replay;
  }
  return samples;
}

// The numbers against the micro-batches that the run will make.
void expect_sizes(const TuneRecipe& recipe, const TuneData& data) {
  SampleOrder order(order_shape(data, recipe), recipe.seed);
  StepSizes due;
  const int64_t steps = steps_of(recipe, data, order);
  int64_t cursor = 0;
  for (int64_t step = 0; step < steps; ++step) {
    auto taken = samples_of_step(recipe, data, order, {}, cursor);
    cursor = taken.next_cursor;
    int64_t terms = 0;
    for (const auto& kind : kinds_of(recipe, taken.samples))
      for (const auto& batch : pack(kind, recipe.micro_tokens, {}, data.per_item)) {
        due.rows = std::max(due.rows, batch.rows());
        due.loss_rows = std::max<int64_t>(
            due.loss_rows, std::ranges::count_if(batch.targets, [](int32_t t) { return t >= 0; }));
        ++terms;
      }
    due.terms = std::max(due.terms, terms);
  }
  const auto sizes = step_sizes(recipe, data);
  EXPECT_EQ(sizes.rows, due.rows);
  EXPECT_EQ(sizes.loss_rows, due.loss_rows);
  EXPECT_EQ(sizes.terms, due.terms);
  const auto most = step_sizes_at_most(recipe);
  EXPECT_LE(sizes.rows, most.rows);
  EXPECT_LE(sizes.loss_rows, most.loss_rows);
  EXPECT_LE(sizes.measured_rows, most.measured_rows);
  EXPECT_LE(sizes.terms, most.terms);
}

class StepPlan : public testing::Test {
 protected:
  void SetUp() override {
    recipe_.sequence = 65;
    recipe_.batch_tokens = 300;
    recipe_.micro_tokens = 130;
    recipe_.epochs = 2.5;
    data_.training = samples_of(90, false, rng_);
    data_.domain = 90;
  }

  Rng rng_ = Rng(3);
  TuneRecipe recipe_;
  TuneData data_;
};

TEST_F(StepPlan, KnowsTheLargestStepBeforeTheFirst) {
  expect_sizes(recipe_, data_);
  recipe_.steps = 2;
  expect_sizes(recipe_, data_);
  recipe_.micro_tokens = recipe_.batch_tokens;
  expect_sizes(recipe_, data_);
  EXPECT_EQ(step_sizes(recipe_, data_).terms, 1);
}

TEST_F(StepPlan, KeepsPairsTogether) {
  recipe_.method = TuneMethod::kDpo;
  data_.domain = 45;
  data_.per_item = 2;
  expect_sizes(recipe_, data_);
}

TEST_F(StepPlan, CountsReplayThatHasMicroBatchesOfItsOwn) {
  recipe_.replay = {"general.jsonl"};
  recipe_.replay_share = 0.4;
  recipe_.replay_target = ReplayTarget::kBase;
  recipe_.batch_tokens = recipe_.micro_tokens;
  for (auto& sample : samples_of(30, true, rng_)) data_.training.push_back(sample);
  expect_sizes(recipe_, data_);
  EXPECT_EQ(step_sizes(recipe_, data_).terms, 2);
}

TEST_F(StepPlan, MeasuresNoMoreThanThereIs) {
  EXPECT_EQ(step_sizes(recipe_, data_).measured_rows, 0);
  data_.heldout = samples_of(1, false, rng_);
  EXPECT_EQ(step_sizes(recipe_, data_).measured_rows, rows_of(data_.heldout[0]));
  data_.general = samples_of(200, true, rng_);
  EXPECT_GT(step_sizes(recipe_, data_).measured_rows, recipe_.micro_tokens / 2);
}

}  // namespace
}  // namespace plinth::train
