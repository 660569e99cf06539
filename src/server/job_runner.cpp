#include "server/job_runner.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "core/clock.h"
#include "core/log.h"
#include "core/stand_back.h"
#include "server/chat_renderer.h"
#include "server/tune_spec.h"
#include "text/chat_text.h"
#include "train/train.h"

namespace plinth::server {
namespace {

constexpr int kIdleMs = 1000;     // between looks for jobs that another process created
constexpr int64_t kLookMs = 200;  // between looks whether a job is still wanted

int64_t now_ms() {
  return system_clock().monotonic_ns() / 1'000'000;
}

Json metrics_of(const train::StepReport& report) {
  Json data = {{"step", report.step},       {"total_steps", report.steps},
               {"train_loss", report.loss}, {"learning_rate", report.learning_rate},
               {"tokens", report.tokens},   {"tokens_per_s", report.tokens_per_s}};
  if (report.heldout >= 0) data["valid_loss"] = report.heldout;
  return data;
}

}  // namespace

Result<std::unique_ptr<JobRunner>> JobRunner::create(const Path& home,
                                                     std::shared_ptr<const model::Model> base,
                                                     int threads) {
  PLINTH_TRY(auto store, store::Store::open(home));
  PLINTH_TRY(auto jobs, store::Jobs::open(home));
  return std::unique_ptr<JobRunner>(
      new JobRunner(std::move(store), std::move(jobs), std::move(base), threads));
}

JobRunner::~JobRunner() {
  stop();
}

void JobRunner::start() {
  thread_ = std::thread([this] { work(); });
}

void JobRunner::stop() {
  stopping_ = true;
  wake();
  if (thread_.joinable()) thread_.join();
}

void JobRunner::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_all();
}

Result<FileLock> JobRunner::take_lock() const {
  PLINTH_TRY(make_directories(store_->home() / "jobs"));
  return FileLock::take(store_->home() / "jobs" / "lock");
}

void JobRunner::work() {
  const StandBack stands_back(threads_);
  // Of several servers on one home one runs the jobs; the next takes over when it has ended.
  std::optional<FileLock> lock;
  while (!stopping_) {
    if (!lock)
      if (auto taken = take_lock()) lock = *std::move(taken);
    const auto jobs = jobs_->unfinished();
    if (!jobs) log_error("jobs: {}", jobs.error().message);
    if (lock && jobs && !jobs->empty()) {
      run(jobs->front());
      continue;
    }
    std::unique_lock guard(mutex_);
    changed_.wait_for(guard, std::chrono::milliseconds(kIdleMs),
                      [this] { return woken_ || stopping_; });
    woken_ = false;
  }
}

void JobRunner::run(store::Job job) {
  const auto say = [&](const char* level, const std::string& message) {
    const Status added = jobs_->add_event(job.id, {.level = level, .message = message});
    if (!added) log_error("job {}: {}", job.id, added.error().message);
  };
  const bool again = job.state == "running" || job.started_ms != 0;
  const auto began = jobs_->flip(job.id, "validating_files,queued,running", "running");
  if (!began) log_error("job {}: {}", job.id, began.error().message);
  if (!began || !*began) return;
  say("info", again ? "Going on with the job" : "Job started");
  looked_ms_ = 0;
  const Status done = tune(job);
  if (!done && done.error().code == Code::kCancelled) return;  // whoever stopped it says what it is
  if (!done) job.error = done.error().message;
  const auto ended = jobs_->finish(job, done ? "succeeded" : "failed");
  if (!ended) log_error("job {}: {}", job.id, ended.error().message);
  if (!ended || !*ended) return;
  if (done)
    say("info", "The job has succeeded; new model: " + job.model);
  else
    say("error", "The job has failed: " + job.error);
}

// Looked at inside steps, between micro-batches.
bool JobRunner::stopped(const store::Job& job) {
  if (stopping_) return true;
  if (now_ms() - looked_ms_ < kLookMs) return !state_holds_;
  looked_ms_ = now_ms();
  const auto now = jobs_->job(0, job.id);
  state_holds_ = now && now->state == "running";
  return !state_holds_;
}

// The trainer reads files with a name of their own, and the same one when the job goes on.
Result<Path> JobRunner::training_file(const store::Job& job, const Json& spec,
                                      const Path& folder) const {
  const Path path = folder / "training.jsonl";
  PLINTH_TRY(const auto file, store_->file(job.tenant_id, string_or(spec, "training_file", "")));
  PLINTH_TRY(const auto bytes, store_->artifacts().read(file.digest));
  PLINTH_TRY(write_file_atomic(path, bytes));
  return path;
}

Status JobRunner::tune(store::Job& job) {
  PLINTH_TRY(const Json spec, parse_json(job.spec, "job " + job.id));
  if (string_or(spec, "base_digest", "") != base_->digest())
    return make_error(Code::kFailedPrecondition, "the job is for another base than this server's");
  const Path folder = store_->home() / "jobs" / job.id;
  PLINTH_TRY(make_directories(folder));
  PLINTH_TRY(auto recipe, tune_recipe(spec, base_->config()));
  PLINTH_TRY(const Path file, training_file(job, spec, folder));
  recipe.files = {file};

  train::TuneHooks hooks;
  if (!base_->chat_template().empty()) {
    PLINTH_TRY(hooks.chat, chat_renderer(base_));
  }
  hooks.train.stop = [&] { return stopped(job); };
  hooks.train.on_step = [&](const train::StepReport& report) {
    const Status added =
        jobs_->add_event(job.id, {.type = "metrics",
                                  .message = fmt::format("Step {}/{}: training loss={:.4f}",
                                                         report.step, report.steps, report.loss),
                                  .data = to_text(metrics_of(report))});
    const Status beat = jobs_->beat(job.id);
    if (!added || !beat) log_error("job {}: {}", job.id, (!added ? added : beat).error().message);
  };
  PLINTH_TRY(const auto summary, train::tune(base_, recipe, folder / "run", hooks));

  Json result = {{"trained_tokens", summary.tokens},
                 {"steps", summary.steps},
                 {"train_loss", summary.loss},
                 {"valid_loss_before", summary.heldout_before},
                 {"valid_loss", summary.heldout},
                 {"best_step", summary.best_step},
                 {"rows", summary.data.rows},
                 {"bad_rows", summary.data.bad_rows},
                 {"truncated_samples", summary.data.truncated_samples}};
  if (summary.preferred >= 0) result["valid_preferred"] = summary.preferred;
  job.result = to_text(result);
  job.model = model_name(spec, base_->config(), job.id);
  // The owner first: nobody else may see the name for a moment.
  PLINTH_TRY(jobs_->own_model(job.model, job.tenant_id));
  PLINTH_TRY(const auto adapter, store_->add_adapter(summary.adapter, job.model, base_->digest()));
  PLINTH_TRY(store_->publish(
      {.name = job.model,
       .base_digest = base_->digest(),
       .adapter_digest = adapter.digest,
       .verdict =
           to_text({{"passed", false}, {"unproven", "made by job " + job.id}, {"job", result}})}));
  return {};
}

}  // namespace plinth::server
