// What changes in a tuning run: an adapter over a frozen base, or a copy of the base itself.
#pragma once

#include <memory>

#include "core/file.h"
#include "core/result.h"
#include "model/adapter_lineage.h"
#include "model/model.h"
#include "train/math/parameters.h"
#include "train/math/tape.h"
#include "train/train.h"

namespace plinth::train {

class Learner {
 public:
  virtual ~Learner() = default;

  virtual Parameters& parameters() = 0;
  // What the tape runs: the base, or the copy of it that changes.
  virtual const model::Model& model() const = 0;
  virtual Trainable trainable() = 0;
  // Counts what was learnt `strength` times from now on; adapters only.
  virtual void set_strength(double strength) = 0;

  virtual double strength() const { return 1; }

  // Writes the result as it is now, with its lineage, and says where in the summary.
  virtual Status write(const Path& run_dir, const model::Lineage& lineage,
                       TuneSummary& summary) = 0;
};

// By the recipe's method. Refused: targets that the base cannot have.
Result<std::unique_ptr<Learner>> make_learner(std::shared_ptr<const model::Model> base,
                                              const TuneRecipe& recipe);

}  // namespace plinth::train
