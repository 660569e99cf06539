// The loop that every kind of run shares: step, measure, report, save, stop.
#pragma once

#include <cstdint>
#include <string>

#include "core/file.h"
#include "core/json.h"
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

  // The same on general rows; -1 when there are none.
  virtual double general() { return -1; }

  // Has the held-out loss not fallen for as long as the recipe waits?
  virtual bool wants_stop() const { return false; }

  // Back to the last checkpoint; the data of the step that has just gone wrong will not come again.
  // Returns how often this run has gone back by now. Only asked for with divergences_max above 0.
  virtual Result<int64_t> go_back(const std::string& reason) {
    return internal_error("this kind of run cannot go back ({})", reason);
  }

  // For the report: what is trained on what, and what became of the rows.
  virtual Json about() const { return Json::object(); }

  virtual Status save() = 0;
};

struct LoopOptions {
  Path run_dir;
  int64_t steps = 0;
  int64_t checkpoint_every = 1;
  int64_t eval_every = 1;
  int64_t divergences_max = 0;  // 0: nothing is looked for
};

struct LoopResult {
  double loss = 0;          // of the last step; of the last line of metrics when there was none
  double tokens_per_s = 0;  // over this call's steps, without measuring and saving
};

// Ctrl-C, SIGTERM or the caller's hook.
bool stop_wanted(const TrainHooks& hooks);

// Runs until `steps` are done or the run wants to stop. Saves every so often, at the end, and
// before it returns kCancelled; each time the run's report.html is written anew. A step that
// diverges (divergence.h) is undone by going back to the last checkpoint, aloud; more than
// divergences_max times is kFailedPrecondition.
Result<LoopResult> run_loop(Run& run, const LoopOptions& options, const TrainHooks& hooks);

}  // namespace plinth::train
