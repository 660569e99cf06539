#include "train/run_loop.h"

#include <utility>

#include "core/interrupt.h"
#include "core/log.h"
#include "train/run_report.h"

namespace plinth::train {

bool stop_wanted(const TrainHooks& hooks) {
  return interrupted() || (hooks.stop && hooks.stop());
}

RunLoop::RunLoop(Run& run, const LoopOptions& options, const TrainHooks& hooks, MetricsFile metrics)
    : run_(&run),
      options_(&options),
      hooks_(&hooks),
      metrics_(std::move(metrics)),
      prom_(options.run_dir),
      divergences_(run.times_back()),
      loss_(metrics_.last_loss()) {
  watch_.restart(metrics_.kept());
}

Result<RunLoop> RunLoop::open(Run& run, const LoopOptions& options, const TrainHooks& hooks) {
  PLINTH_TRY(auto metrics, MetricsFile::open(options.run_dir, run.steps_done()));
  return RunLoop(run, options, hooks, std::move(metrics));
}

bool RunLoop::over() const {
  return run_->steps_done() >= options_->steps || run_->wants_stop();
}

Status RunLoop::take(StepReport report) {
  if (const auto reason = diverged(report); !reason.empty()) return go_back(report.step, reason);
  PLINTH_TRY(const bool last, finish_step(report));
  if (!last && stop_wanted(*hooks_)) return stopped();
  return {};
}

std::string RunLoop::diverged(const StepReport& report) {
  return options_->divergences_max > 0 ? watch_.judge(report) : std::string();
}

Status RunLoop::go_back(int64_t step, const std::string& reason) {
  PLINTH_TRY(divergences_, run_->go_back(fmt::format("step {}: {}", step, reason)));
  if (divergences_ > options_->divergences_max)
    return make_error(Code::kFailedPrecondition,
                      "step {}: {}; the run has gone back {} times already "
                      "(train.divergences_max): lower train.lr, or look at the data",
                      step, reason, options_->divergences_max);
  say(fmt::format("step {}: {}; going back to step {} and leaving its data out ({} of {} times)",
                  step, reason, run_->steps_done(), divergences_, options_->divergences_max));
  PLINTH_TRY(metrics_, MetricsFile::open(options_->run_dir, run_->steps_done()));
  watch_.restart(metrics_.kept());
  return {};
}

// Measures, reports and saves; true: it was the last one.
Result<bool> RunLoop::finish_step(StepReport& report) {
  const bool last = report.step == options_->steps;
  const double seconds = report.seconds;
  if (last || report.step % options_->eval_every == 0) {
    PLINTH_TRY(report.heldout, run_->heldout());
    PLINTH_TRY(report.general, run_->general());
  }
  const bool over = last || run_->wants_stop();
  PLINTH_TRY(metrics_.append(report));
  PLINTH_TRY(prom_.update(report, divergences_, over));
  if (hooks_->on_step) hooks_->on_step(report);
  loss_ = report.loss;
  tokens_ += report.tokens_per_s * seconds;
  seconds_ += seconds;
  if (over || report.step % options_->checkpoint_every == 0) PLINTH_TRY(save());
  return over;
}

Error RunLoop::stopped() {
  if (auto saved = save(); !saved) return std::move(saved).error();
  return make_error(Code::kCancelled, "{}: stopped after step {} of {}, saved",
                    options_->run_dir.string(), run_->steps_done(), options_->steps);
}

LoopResult RunLoop::result() {
  if (run_->steps_done() < options_->steps)
    say(fmt::format("step {}: the held-out loss no longer falls, stopping before step {}",
                    run_->steps_done(), options_->steps));
  return {loss_, seconds_ > 0 ? tokens_ / seconds_ : 0};
}

Status RunLoop::save() {
  PLINTH_TRY(run_->save());
  return write_run_report(options_->run_dir, run_->about());
}

void RunLoop::say(const std::string& what) {
  if (hooks_->on_event)
    hooks_->on_event(what);
  else
    log_warn("{}", what);
}

Result<LoopResult> run_loop(SoloRun& run, const LoopOptions& options, const TrainHooks& hooks) {
  PLINTH_TRY(auto loop, RunLoop::open(run, options, hooks));
  while (!loop.over()) {
    auto report = run.step();
    if (!report && report.error().code == Code::kCancelled) return loop.stopped();
    if (!report) return std::move(report).error();
    PLINTH_TRY(loop.take(*report));
  }
  return loop.result();
}

}  // namespace plinth::train
