// What every kind of run shares after each of its steps: judge, measure, report, save, stop.
#pragma once

#include <cstdint>
#include <string>

#include "core/file.h"
#include "core/json.h"
#include "core/result.h"
#include "train/divergence.h"
#include "train/metrics_file.h"
#include "train/metrics_prom.h"
#include "train/train.h"

namespace plinth::train {

// One kind of training run. Its loop owns none of it.
class Run {
 public:
  virtual ~Run() = default;

  virtual int64_t steps_done() const = 0;
  // Held-out loss in nats per token now; -1 when nothing is held out.
  virtual Result<double> heldout() = 0;

  // The same on general rows; -1 when there are none.
  virtual Result<double> general() { return -1.0; }

  // Has the held-out loss not fallen for as long as the recipe waits?
  virtual bool wants_stop() const { return false; }

  // Back to the last checkpoint; the data of the step that has just gone wrong will not come again.
  // Returns how often this run has gone back by now. Only asked for with divergences_max above 0.
  virtual Result<int64_t> go_back(const std::string& reason) {
    return internal_error("this kind of run cannot go back ({})", reason);
  }

  // How often it has gone back, in earlier calls as well.
  virtual int64_t times_back() const { return 0; }

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

// A run's steps, one by one, from outside: several runs may take theirs together.
class RunLoop {
 public:
  // The run has been brought to its last checkpoint. Run, options and hooks outlive the loop.
  static Result<RunLoop> open(Run& run, const LoopOptions& options, const TrainHooks& hooks);

  // Are all steps done, or does the run want to stop early?
  bool over() const;

  // What a step came to, once the run has taken it. Saves every so often, at the end, and when it
  // was stopped; each time the run's report.html is written anew. A step that diverges
  // (divergence.h) is undone by going back to the last checkpoint, aloud; more than divergences_max
  // times is kFailedPrecondition. kCancelled: stopped, and saved.
  Status take(StepReport report);

  // The run was told to stop, its state is that after its last step: saves; kCancelled.
  Error stopped();

  // When over(): says so if it is early.
  LoopResult result();

 private:
  RunLoop(Run& run, const LoopOptions& options, const TrainHooks& hooks, MetricsFile metrics);

  std::string diverged(const StepReport& report);
  Status go_back(int64_t step, const std::string& reason);
  Result<bool> finish_step(StepReport& report);
  Status save();
  void say(const std::string& what);

  Run* run_;
  const LoopOptions* options_;
  const TrainHooks* hooks_;
  MetricsFile metrics_;
  MetricsProm prom_;
  DivergenceWatch watch_;
  int64_t divergences_ = 0;
  double loss_ = 0;
  double tokens_ = 0;
  double seconds_ = 0;
};

// A run that takes its steps by itself.
class SoloRun : public Run {
 public:
  // One update; the loop fills in the held-out loss. kCancelled: stopped half-way, with the state
  // as it was before.
  virtual Result<StepReport> step() = 0;
};

// Runs until `steps` are done or the run wants to stop.
Result<LoopResult> run_loop(SoloRun& run, const LoopOptions& options, const TrainHooks& hooks);

}  // namespace plinth::train
