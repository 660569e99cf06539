// One member of a tuning run: what it learns from, how far it has come, what it has found best.
// Members that are trained together meet only in the crew that computes their steps.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/result.h"
#include "model/adapter_lineage.h"
#include "model/model.h"
#include "train/checkpoint.h"
#include "train/data/packing.h"
#include "train/data/sample_order.h"
#include "train/learner.h"
#include "train/math/optimizer.h"
#include "train/run_loop.h"
#include "train/skipped_data.h"
#include "train/train.h"
#include "train/tune_data.h"
#include "train/tuning/crew.h"

namespace plinth::train {

class Tuning : public Run {
 public:
  // Everything given by reference outlives the run; `member` is the learner's number in the crew.
  Tuning(std::shared_ptr<const model::Model> base, Learner& learner, const TuneRecipe& recipe,
         const Path& run_dir, std::shared_ptr<const TuneData> data, Crew& crew, int64_t member);

  // Begins, or goes on from the folder's checkpoint.
  Status start();

  int64_t steps() const { return steps_; }

  // The next step's micro-batches, valid until the step has ended. Asked for again, it is the same
  // step.
  Work begin_step();
  // The learner's gradients are the step's: updates. `seconds` went into them.
  Result<StepReport> end_step(double loss, double seconds);

  // Writes the best found, with its lineage.
  Result<TuneSummary> finish(const LoopResult& done);

  // Run
  int64_t steps_done() const override { return state_.step; }

  bool wants_stop() const override;
  Result<double> heldout() override;

  Result<double> general() override { return measure(data_->general); }

  Result<int64_t> go_back(const std::string& reason) override;

  int64_t times_back() const override { return skipped_.times(); }

  Json about() const override;
  Status save() override;

 private:
  std::array<Arena, 4> arenas();
  void restore(CheckpointState state);
  Schedule schedule() const;

  bool is_pairs() const { return recipe_->method == TuneMethod::kDpo; }

  std::optional<PreferenceOptions> preference_over(size_t samples) const;
  std::vector<MicroBatch> micro_batches(std::vector<const Sample*> samples,
                                        RowWeights weights) const;
  std::vector<MicroBatch> packed(std::vector<const Sample*> samples, RowWeights weights) const;
  Result<double> settle_strength(double& before, double& after);
  Result<double> measure(std::span<const Sample> of);
  model::Lineage lineage() const;
  void keep_as_best(int64_t step, double heldout);
  Json facts(const TuneSummary& summary) const;

  std::shared_ptr<const model::Model> base_;  // shared with whoever serves it meanwhile
  const TuneRecipe* recipe_;
  Path run_dir_;
  std::shared_ptr<const TuneData> data_;  // members that read the same rows share them
  std::map<std::string, std::string> fields_;
  SampleOrder order_;
  Learner* learner_;
  Crew* crew_;
  int64_t member_;
  Optimizer optimizer_;
  tensor::Buffer best_;
  int64_t best_step_ = 0;
  double best_heldout_ = -1;
  double heldout_before_ = -1;
  double general_before_ = -1;  // method full only: the base is not there any more afterwards
  double preferred_ = -1;       // of the last measured pairs
  int64_t waited_ = 0;          // evaluations since the held-out loss was lowest
  // The step that has begun.
  std::vector<MicroBatch> batches_;
  std::optional<PreferenceOptions> preference_;
  int64_t rows_ = 0;
  int64_t tried_cursor_ = 0;  // cursor at which it began
  int64_t next_cursor_ = 0;   // behind its samples
  SkippedData skipped_;
  int64_t steps_ = 0;
  CheckpointState state_;
};

// A recipe's fields with the digests of its data and base: what a checkpoint, and every process of
// a run, must agree with.
std::map<std::string, std::string> identity_of(const TuneRecipe& recipe, const model::Model& base,
                                               const std::string& data_digest);

}  // namespace plinth::train
