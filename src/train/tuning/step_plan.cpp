#include "train/tuning/step_plan.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "train/data/packing.h"

namespace plinth::train {
namespace {

// Beyond, going through the steps would take longer than it is worth.
constexpr int64_t kItemsMax = 20'000'000;

std::span<const Sample> item_of(const TuneData& data, int64_t index) {
  return std::span(data.training)
      .subspan(static_cast<size_t>(index * data.per_item), static_cast<size_t>(data.per_item));
}

bool is_anchored(const TuneRecipe& recipe) {
  return recipe.replay_target == ReplayTarget::kBase && !recipe.replay.empty();
}

struct Batch {
  int64_t rows = 0;
  int64_t loss_rows = 0;
};

std::vector<Batch> batches_of(std::span<const Sample* const> samples, const TuneRecipe& recipe,
                              const TuneData& data) {
  std::vector<Batch> batches;
  size_t first = 0;
  for (const size_t end : pack_ends(samples, recipe.micro_tokens, data.per_item)) {
    auto& batch = batches.emplace_back();
    for (; first < end; ++first) {
      batch.rows += rows_of(*samples[first]);
      batch.loss_rows += samples[first]->loss_tokens();
    }
  }
  return batches;
}

int64_t rows_measured(std::span<const Sample> of, const TuneRecipe& recipe, const TuneData& data) {
  std::vector<const Sample*> samples;
  for (const auto& sample : of) samples.push_back(&sample);
  int64_t rows = 0;
  for (const auto& batch : batches_of(samples, recipe, data)) rows = std::max(rows, batch.rows);
  return rows;
}

}  // namespace

StepSamples samples_of_step(const TuneRecipe& recipe, const TuneData& data, SampleOrder& order,
                            const SkippedData& skipped, int64_t cursor) {
  StepSamples step;
  int64_t rows = 0;
  for (step.next_cursor = cursor;; ++step.next_cursor) {
    step.next_cursor = skipped.behind(step.next_cursor);
    const auto next = item_of(data, order.at(step.next_cursor));
    for (const auto& sample : next) rows += rows_of(sample);
    if (rows > recipe.batch_tokens && !step.samples.empty()) return step;
    for (const auto& sample : next) step.samples.push_back(&sample);
  }
}

int64_t steps_of(const TuneRecipe& recipe, const TuneData& data, SampleOrder& order) {
  if (recipe.steps > 0) return recipe.steps;
  int64_t tokens = 0;
  for (int64_t i = 0; i < order.epoch_samples(); ++i)
    for (const auto& sample : item_of(data, order.at(i))) tokens += rows_of(sample);
  const double steps =
      recipe.epochs * static_cast<double>(tokens) / static_cast<double>(recipe.batch_tokens);
  return std::max<int64_t>(1, std::llround(steps));
}

std::vector<std::vector<const Sample*>> kinds_of(const TuneRecipe& recipe,
                                                 std::vector<const Sample*> samples) {
  if (!is_anchored(recipe)) return {std::move(samples)};
  const auto replay =
      std::ranges::stable_partition(samples, [](const Sample* sample) { return !sample->replay; });
  return {{samples.begin(), replay.begin()}, {replay.begin(), replay.end()}};
}

StepSizes step_sizes(const TuneRecipe& recipe, const TuneData& data) {
  SampleOrder order(order_shape(data, recipe), recipe.seed);
  const int64_t steps = steps_of(recipe, data, order);
  StepSizes sizes;
  int64_t cursor = 0;
  for (int64_t step = 0; step < steps; ++step) {
    if (cursor > kItemsMax) return step_sizes_at_most(recipe);
    auto taken = samples_of_step(recipe, data, order, {}, cursor);
    cursor = taken.next_cursor;
    int64_t terms = 0;
    for (const auto& kind : kinds_of(recipe, std::move(taken.samples)))
      for (const auto& batch : batches_of(kind, recipe, data)) {
        sizes.rows = std::max(sizes.rows, batch.rows);
        sizes.loss_rows = std::max(sizes.loss_rows, batch.loss_rows);
        ++terms;
      }
    sizes.terms = std::max(sizes.terms, terms);
  }
  sizes.measured_rows = std::max(rows_measured(data.heldout, recipe, data),
                                 rows_measured(data.general, recipe, data));
  return sizes;
}

StepSizes step_sizes_at_most(const TuneRecipe& recipe) {
  StepSizes sizes{recipe.micro_tokens, recipe.micro_tokens, recipe.micro_tokens, 1};
  // A sample that does not fit leaves up to half of a micro-batch empty.
  if (recipe.batch_tokens > recipe.micro_tokens || is_anchored(recipe))
    sizes.terms = 2 * ((recipe.batch_tokens + recipe.micro_tokens - 1) / recipe.micro_tokens) + 1;
  return sizes;
}

}  // namespace plinth::train
