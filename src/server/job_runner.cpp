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

// Tenants read why a job failed: files by their names, not where the server keeps them.
std::string without_folder(std::string message, const Path& folder) {
  const std::string prefix = folder.string() + "/";
  for (size_t at = 0; (at = message.find(prefix, at)) != message.npos;)
    message.erase(at, prefix.size());
  return message;
}

}  // namespace

// One job at a time, with connections of its own.
struct JobRunner::Worker {
  std::unique_ptr<store::Store> store;
  std::unique_ptr<store::Jobs> jobs;
  int64_t looked_ms = 0;    // when the job's state was last read
  bool state_holds = true;  // it was running then
  uint64_t wakes_seen = 0;
  std::thread thread;
};

Result<std::unique_ptr<JobRunner>> JobRunner::create(const Path& home, engine::Engine& engine,
                                                     const JobOptions& options,
                                                     store::Leases& leases) {
  PLINTH_TRY(auto jobs, store::Jobs::open(home));
  std::unique_ptr<JobRunner> runner(new JobRunner(std::move(jobs), engine, options, leases));
  for (int i = 0; i < options.at_once; ++i) {
    auto worker = std::make_unique<Worker>();
    PLINTH_TRY(worker->store, store::Store::open(home));
    PLINTH_TRY(worker->jobs, store::Jobs::open(home));
    runner->workers_.push_back(std::move(worker));
  }
  return runner;
}

JobRunner::JobRunner(std::unique_ptr<store::Jobs> jobs, engine::Engine& engine,
                     const JobOptions& options, store::Leases& leases)
    : jobs_(std::move(jobs)), engine_(engine), options_(options), leases_(leases) {}

JobRunner::~JobRunner() {
  stop();
}

void JobRunner::start() {
  for (const auto& worker : workers_)
    worker->thread = std::thread([this, &worker = *worker] { work(worker); });
}

void JobRunner::stop() {
  stopping_ = true;
  wake();
  for (const auto& worker : workers_)
    if (worker->thread.joinable()) worker->thread.join();
}

void JobRunner::wake() {
  {
    const std::lock_guard lock(mutex_);
    ++wakes_;
  }
  changed_.notify_all();
}

void JobRunner::work(Worker& worker) {
  lower_priority();
  const StandBack stands_back(options_.threads);
  while (!stopping_) {
    {
      const std::lock_guard lock(mutex_);
      worker.wakes_seen = wakes_;
    }
    if (auto job = next(worker)) {
      const std::string id = job->id;
      run(worker, *std::move(job));
      leave(id);
      continue;
    }
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(kIdleMs),
                      [&] { return wakes_ != worker.wakes_seen || stopping_; });
  }
}

// The oldest job that may run here and now, with its lease: until leave().
std::optional<store::Job> JobRunner::next(Worker& worker) {
  auto jobs = worker.jobs->unfinished();
  if (!jobs) {
    log_error("jobs: {}", jobs.error().message);
    return {};
  }
  const std::lock_guard lock(mutex_);
  for (store::Job& job : *jobs) {
    const auto in_the_way = [&](const Running& other) {
      return other.id == job.id || (other.tenant_id == job.tenant_id && other.kind == job.kind);
    };
    if (std::ranges::any_of(running_, in_the_way)) continue;
    const auto taken = leases_.take(job.id);
    if (!taken) log_error("job {}: {}", job.id, taken.error().message);
    if (!taken || !*taken) continue;
    running_.push_back({job.id, job.tenant_id, job.kind});
    return std::move(job);
  }
  return {};
}

void JobRunner::leave(const std::string& id) {
  leases_.release(id);
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(running_, [&](const Running& running) { return running.id == id; });
  }
  wake();  // one that had to wait for it
}

void JobRunner::run(Worker& worker, store::Job job) {
  const auto say = [&](const char* level, const std::string& message) {
    const Status added = worker.jobs->add_event(job.id, {.level = level, .message = message});
    if (!added) log_error("job {}: {}", job.id, added.error().message);
  };
  const auto lock = lock_folder(worker, job);
  const bool again = job.state == "running" || job.started_ms != 0;
  const auto began =
      lock ? worker.jobs->flip(job.id, "validating_files,queued,running", "running") : lock.error();
  if (!began) {
    log_error("job {}: {}", job.id, began.error().message);
    return rest();  // it is tried again, but not at once
  }
  if (!*began) return;
  log_info("job {} runs here", job.id);
  say("info", again ? "Going on with the job" : "Job started");
  worker.looked_ms = 0;
  const Status done = carry_out(worker, job);
  if (!done && done.error().code == Code::kCancelled) return;  // whoever stopped it says what it is
  if (!done && done.error().code == Code::kUnavailable) {
    // The database went away: the job is still running, and goes on when it is back.
    log_warn("job {} waits: {}", job.id, done.error().message);
    return rest();
  }
  if (!done) {
    log_warn("job {} has failed: {}", job.id, done.error().message);
    job.error = without_folder(done.error().message, job_folder(*worker.store, job.id));
  }
  const auto ended = worker.jobs->finish(job, done ? "succeeded" : "failed", leases_.server());
  if (!ended) log_error("job {}: {}", job.id, ended.error().message);
  if (!ended || !*ended) return;
  if (done)
    say("info", job.model.empty() ? "The job has succeeded"
                                  : "The job has succeeded; new model: " + job.model);
  else
    say("error", "The job has failed: " + job.error);
}

// Whoever had the job before may still be writing there, when it was taken for dead and is not: it
// lets go as soon as it notices.
Result<FileLock> JobRunner::lock_folder(const Worker& worker, const store::Job& job) {
  const Path folder = job_folder(*worker.store, job.id);
  PLINTH_TRY(make_directories(folder));
  for (bool said = false;; said = true) {
    auto lock = FileLock::take(folder / "lock");
    if (lock || lock.error().code != Code::kFailedPrecondition) return lock;
    if (!said) log_warn("job {} waits: {}", job.id, lock.error().message);
    rest();
    if (stopping_ || !leases_.held(job.id)) return lock;
  }
}

void JobRunner::rest() {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::milliseconds(kIdleMs), [this] { return stopping_.load(); });
}

// Looked at inside steps, between micro-batches.
bool JobRunner::stopped(Worker& worker, const store::Job& job) {
  if (stopping_ || !leases_.held(job.id)) return true;
  if (now_ms() - worker.looked_ms < kLookMs) return !worker.state_holds;
  worker.looked_ms = now_ms();
  const auto now = worker.jobs->job(0, job.id);
  worker.state_holds = now && now->state == "running";
  return !worker.state_holds;
}

Status JobRunner::carry_out(Worker& worker, store::Job& job) {
  PLINTH_TRY(Json spec, parse_json(job.spec, "job " + job.id));
  JobWork work{.store = *worker.store,
               .jobs = *worker.jobs,
               .engine = engine_,
               .base = {std::shared_ptr<const void>(), &engine_.model()},
               .job = job,
               .spec = std::move(spec),
               .folder = job_folder(*worker.store, job.id),
               .stopped = [&] { return stopped(worker, job); }};
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
