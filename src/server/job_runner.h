// Carries out jobs (jobs/job_work.h) beside serving, the oldest first, one at a time: on the base
// that answers, with the threads that answers leave (core/stand_back.h).
//
// A job is a row in the store and a folder under PLINTH_HOME/jobs. What it has reached is in its
// folder: after a crash or a stop the next server goes on where it was, and the result is that of
// an undisturbed run. A tuning ends within one micro-batch of being paused, cancelled or stopped, a
// refining within a window of files, a proof within a batch of items.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "core/file.h"
#include "engine/engine.h"
#include "store/jobs.h"
#include "store/store.h"

namespace plinth::server {

class JobRunner {
 public:
  // With connections of its own to the store. `threads`: how many of the compute pool's a job may
  // use, 0: all. `engine` outlives the runner.
  static Result<std::unique_ptr<JobRunner>> create(const Path& home, engine::Engine& engine,
                                                   int threads);

  // stop().
  ~JobRunner();
  JobRunner(const JobRunner&) = delete;
  JobRunner& operator=(const JobRunner&) = delete;

  void start();
  // Saves what runs, which the next server goes on with. Again: nothing.
  void stop();

  // There is a new job, or one has changed its state. Any thread.
  void wake();

  store::Jobs& jobs() { return *jobs_; }

 private:
  JobRunner(std::unique_ptr<store::Store> store, std::unique_ptr<store::Jobs> jobs,
            engine::Engine& engine, int threads)
      : store_(std::move(store)), jobs_(std::move(jobs)), engine_(engine), threads_(threads) {}

  Result<FileLock> take_lock() const;
  void work();
  void run(store::Job job);
  Status carry_out(store::Job& job);
  void rest(const store::Job& job, const Error& why);
  bool stopped(const store::Job& job);

  std::unique_ptr<store::Store> store_;
  std::unique_ptr<store::Jobs> jobs_;
  engine::Engine& engine_;
  const int threads_;
  int64_t looked_ms_ = 0;    // when the job's state was last read
  bool state_holds_ = true;  // it was running then
  std::mutex mutex_;         // guards what follows
  std::condition_variable changed_;
  bool woken_ = false;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace plinth::server
