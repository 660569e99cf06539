// Carries out jobs (jobs/job_work.h) beside serving, on the base that answers, with the cores that
// answers leave (core/stand_back.h).
//
// A few run at a time, the oldest first, but no two of one kind of one tenant: a tuning of hours
// holds back neither another tenant's nor its own tenant's proof. Together they use no more cores
// than one alone would: their loops take turns (decision 0040).
//
// A job is a row in the store and a folder under PLINTH_HOME/jobs. What it has reached is in its
// folder: after a crash or a stop the next server goes on where it was, and the result is that of
// an undisturbed run. Of several servers on one database each runs other jobs, by leases; a dead
// one's go on with the others. A tuning ends within one micro-batch of being paused, cancelled or
// stopped, a refining within a window of files, a proof within a batch of items.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/file.h"
#include "engine/engine.h"
#include "store/jobs.h"
#include "store/leases.h"
#include "store/store.h"

namespace plinth::server {

struct JobOptions {
  int threads = 0;  // of the compute pool, for all jobs together; 0: all that answers leave
  int at_once = 2;  // jobs
};

class JobRunner {
 public:
  // With connections of its own to the store. `engine` and `leases` outlive the runner.
  static Result<std::unique_ptr<JobRunner>> create(const Path& home, engine::Engine& engine,
                                                   const JobOptions& options,
                                                   store::Leases& leases);

  // stop().
  ~JobRunner();
  JobRunner(const JobRunner&) = delete;
  JobRunner& operator=(const JobRunner&) = delete;

  void start();
  // Saves what runs, which the next server goes on with. Again: nothing.
  void stop();

  // There is a new job, or one has changed its state. Any thread.
  void wake();

  // For routes: no job holds it while it commits.
  store::Jobs& jobs() { return *jobs_; }

 private:
  struct Worker;

  struct Running {
    std::string id;
    int64_t tenant_id = 0;
    std::string kind;
  };

  JobRunner(std::unique_ptr<store::Jobs> jobs, engine::Engine& engine, const JobOptions& options,
            store::Leases& leases);

  void work(Worker& worker);
  std::optional<store::Job> next(Worker& worker);
  void leave(const std::string& id);
  void run(Worker& worker, store::Job job);
  Result<FileLock> lock_folder(const Worker& worker, const store::Job& job);
  Status carry_out(Worker& worker, store::Job& job);
  bool stopped(Worker& worker, const store::Job& job);
  void rest();

  std::unique_ptr<store::Jobs> jobs_;
  engine::Engine& engine_;
  const JobOptions options_;
  store::Leases& leases_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  uint64_t wakes_ = 0;
  std::vector<Running> running_;
  std::atomic<bool> stopping_ = false;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace plinth::server
