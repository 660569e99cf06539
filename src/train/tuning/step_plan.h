// Which samples make up a step of a tuning run, and so how large its steps get.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "train/data/sample_order.h"
#include "train/skipped_data.h"
#include "train/tune_data.h"

namespace plinth::train {

// Of a step: `samples` point into the data.
struct StepSamples {
  std::vector<const Sample*> samples;
  int64_t next_cursor = 0;  // behind them
};

// As many items of the order from `cursor` on as fit into recipe.batch_tokens, at least one.
StepSamples samples_of_step(const TuneRecipe& recipe, const TuneData& data, SampleOrder& order,
                            const SkippedData& skipped, int64_t cursor);

// train.steps, or what train.epochs comes to.
int64_t steps_of(const TuneRecipe& recipe, const TuneData& data, SampleOrder& order);

// Samples that go through the tape in different ways are never packed together: those of the domain
// and, where the base is their target, replay samples.
std::vector<std::vector<const Sample*>> kinds_of(const TuneRecipe& recipe,
                                                 std::vector<const Sample*> samples);

// The most that any step needs at once.
struct StepSizes {
  int64_t rows = 0;           // of a micro-batch that is learnt
  int64_t loss_rows = 0;      // those of its rows that have a target
  int64_t measured_rows = 0;  // of a micro-batch that is only measured
  int64_t terms = 1;          // micro-batches of a step
};

// Found by going through all steps, without their numbers. A run that leaves out data after a
// divergence may need a little more.
StepSizes step_sizes(const TuneRecipe& recipe, const TuneData& data);

// What no data exceeds.
StepSizes step_sizes_at_most(const TuneRecipe& recipe);

}  // namespace plinth::train
