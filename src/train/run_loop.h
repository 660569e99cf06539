// The loop that every kind of run shares: step, measure, report, save, stop.
#pragma once

#include <cstdint>

#include "core/file.h"
#include "core/result.h"
#include "train/train.h"

namespace plinth::train {

// One kind of training run. The loop owns none of it.
class Run {
 public:
  virtual ~Run() = default;

  virtual int64_t steps_done() const = 0;
  // One update; the loop fills in the held-out loss. kCancelled: stopped half-way, with the state
  // as it was before.
  virtual Result<StepReport> step() = 0;
  // Held-out loss in nats per token now; -1 when nothing is held out.
  virtual double heldout() = 0;
  virtual Status save() = 0;
};

struct LoopOptions {
  Path run_dir;
  int64_t steps = 0;
  int64_t checkpoint_every = 1;
  int64_t eval_every = 1;
};

struct LoopResult {
  double loss = 0;          // of the last step; of the last line of metrics when there was none
  double tokens_per_s = 0;  // over this call's steps, without measuring and saving
};

// Ctrl-C, SIGTERM or the caller's hook.
bool stop_wanted(const TrainHooks& hooks);

// Runs until `steps` are done. Saves every so often, at the end, and before it returns kCancelled.
Result<LoopResult> run_loop(Run& run, const LoopOptions& options, const TrainHooks& hooks);

}  // namespace plinth::train
