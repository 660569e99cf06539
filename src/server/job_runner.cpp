#include "server/job_runner.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "core/clock.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/stand_back.h"
#include "server/jobs/job_work.h"

namespace plinth::server {
namespace {

constexpr int kIdleMs = 1000;     // between looks for jobs that another process created
constexpr int64_t kLookMs = 200;  // between looks whether a job is still wanted

int64_t now_ms() {
  return system_clock().monotonic_ns() / 1'000'000;
}

}  // namespace

Result<std::unique_ptr<JobRunner>> JobRunner::create(const Path& home, engine::Engine& engine,
                                                     int threads) {
  PLINTH_TRY(auto store, store::Store::open(home));
  PLINTH_TRY(auto jobs, store::Jobs::open(home));
  return std::unique_ptr<JobRunner>(
      new JobRunner(std::move(store), std::move(jobs), engine, threads));
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
  const Status done = carry_out(job);
  if (!done && done.error().code == Code::kCancelled) return;  // whoever stopped it says what it is
  if (!done && done.error().code == Code::kUnavailable) return rest(job, done.error());
  if (!done) job.error = done.error().message;
  const auto ended = jobs_->finish(job, done ? "succeeded" : "failed");
  if (!ended) log_error("job {}: {}", job.id, ended.error().message);
  if (!ended || !*ended) return;
  if (done)
    say("info", job.model.empty() ? "The job has succeeded"
                                  : "The job has succeeded; new model: " + job.model);
  else
    say("error", "The job has failed: " + job.error);
}

// The database went away: the job is still running, and goes on when it is back.
void JobRunner::rest(const store::Job& job, const Error& why) {
  log_warn("job {} waits: {}", job.id, why.message);
  std::unique_lock guard(mutex_);
  changed_.wait_for(guard, std::chrono::milliseconds(kIdleMs), [this] { return stopping_.load(); });
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

Status JobRunner::carry_out(store::Job& job) {
  PLINTH_TRY(Json spec, parse_json(job.spec, "job " + job.id));
  JobWork work{.store = *store_,
               .jobs = *jobs_,
               .engine = engine_,
               .base = {std::shared_ptr<const void>(), &engine_.model()},
               .job = job,
               .spec = std::move(spec),
               .folder = job_folder(*store_, job.id),
               .stopped = [&] { return stopped(job); }};
  PLINTH_TRY(make_directories(work.folder));
  const StopWhen stop_when(work.stopped);
  if (job.kind == kTuneJob) return carry_out_tune(work);
  if (job.kind == kRefineJob) return carry_out_refine(work);
  if (job.kind == kProveJob) return carry_out_prove(work);
  return make_error(Code::kUnimplemented, "a job of kind {} is not known here", job.kind);
}

Path job_folder(const store::Store& store, const std::string& id) {
  return store.home() / "jobs" / id;
}

Result<Path> job_file(const JobWork& work, const std::string& file_id, const std::string& name) {
  const Path path = work.folder / name;
  PLINTH_TRY(const auto file, work.store.file(work.job.tenant_id, file_id));
  PLINTH_TRY(const auto bytes, work.store.artifacts().read(file.digest));
  PLINTH_TRY(write_file_atomic(path, bytes));
  return path;
}

}  // namespace plinth::server
