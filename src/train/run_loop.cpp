#include "train/run_loop.h"

#include "core/interrupt.h"
#include "train/metrics_file.h"

namespace plinth::train {

bool stop_wanted(const TrainHooks& hooks) {
  return interrupted() || (hooks.stop && hooks.stop());
}

Result<LoopResult> run_loop(Run& run, const LoopOptions& options, const TrainHooks& hooks) {
  PLINTH_TRY(auto metrics, MetricsFile::open(options.run_dir, run.steps_done()));
  LoopResult result{metrics.last_loss(), 0};
  double tokens = 0;
  double seconds = 0;
  bool stopped = false;
  while (run.steps_done() < options.steps && !stopped) {
    auto report = run.step();
    if (!report && report.error().code != Code::kCancelled) return std::move(report).error();
    stopped = !report;
    if (report) {
      const bool last = report->step == options.steps;
      const double step_seconds = report->seconds;
      if (last || report->step % options.eval_every == 0) report->heldout = run.heldout();
      PLINTH_TRY(metrics.append(*report));
      if (hooks.on_step) hooks.on_step(*report);
      result.loss = report->loss;
      tokens += report->tokens_per_s * step_seconds;
      seconds += step_seconds;
      stopped = !last && stop_wanted(hooks);
      if (stopped || last || report->step % options.checkpoint_every == 0) PLINTH_TRY(run.save());
    } else {
      PLINTH_TRY(run.save());
    }
  }
  if (stopped)
    return make_error(Code::kCancelled, "{}: stopped after step {} of {}, saved",
                      options.run_dir.string(), run.steps_done(), options.steps);
  if (seconds > 0) result.tokens_per_s = tokens / seconds;
  return result;
}

}  // namespace plinth::train
