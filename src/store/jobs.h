// Long work that outlives the process: durable rows with events. What a job does is in its spec, a
// JSON text that only the server reads; the store keeps states and never loses one.
//
//   validating_files -> queued -> running -> succeeded | failed
//   paused and cancelled come from outside, at any moment before the end; a paused job can be
//   queued again
//
// A state flips in one statement, from the states that it may come from: what a client has
// cancelled stays cancelled, whatever its runner says afterwards. A job that was running when its
// process died is still running: the next process goes on with it.
//
// Threads: any. It has a connection of its own to the store's database, so that reading keys never
// waits for its commits.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/file.h"
#include "core/result.h"

namespace plinth::store {

class Database;

struct Job {
  std::string id = {};  // "ftjob-...", "corpus-...", "proof-..."; set by create()
  int64_t tenant_id = 0;
  int64_t key_id = 0;
  std::string kind = {};  // "tune", "refine", "prove"
  std::string state = {};
  std::string spec = {};      // JSON
  std::string result = "{}";  // JSON
  std::string error = {};     // why it failed
  std::string model = {};     // the name that it made; empty: none yet
  int64_t created_ms = 0;
  int64_t started_ms = 0;
  int64_t ended_ms = 0;
  int64_t heartbeat_ms = 0;
};

struct JobEvent {
  int64_t id = 0;
  std::string level = "info";
  std::string type = "message";  // or "metrics"
  std::string message = {};
  std::string data = "{}";  // JSON
  int64_t at_ms = 0;
};

class Jobs {
 public:
  // Of a home that a Store has opened (and migrated). `clock` outlives the jobs.
  static Result<std::unique_ptr<Jobs>> open(const Path& home, const Clock& clock = system_clock());
  ~Jobs();

  // Starts in validating_files, with an event that says so.
  Result<Job> create(const Job& job);
  // Tenant 0: whosesoever it is.
  Result<Job> job(int64_t tenant_id, std::string_view id) const;
  // Newest first; tenant 0: all, no kind: all.
  Result<std::vector<Job>> jobs(int64_t tenant_id, std::string_view kind = {}) const;
  // Of all tenants, the oldest first: what a server has to do or to go on with.
  Result<std::vector<Job>> unfinished() const;

  // False: its state is none of `from` (texts with commas between), and it stays as it is.
  Result<bool> flip(std::string_view id, std::string_view from, std::string_view to);
  // Result, error, model and the end, of a job that is running and whose lease (leases.h) is this
  // server's; false: it is not any more.
  Result<bool> finish(const Job& job, std::string_view state, std::string_view server);
  Status beat(std::string_view id);

  Status add_event(std::string_view job, const JobEvent& event);
  Result<std::vector<JobEvent>> events(std::string_view job) const;  // newest first

  // Names of models that belong to one tenant. Nobody else's requests find them.
  Status own_model(std::string_view name, int64_t tenant_id);
  Result<int64_t> owner(std::string_view name) const;  // 0: everybody's

 private:
  Jobs(std::unique_ptr<Database> db, const Clock& clock);

  const Clock& clock_;
  mutable std::mutex mutex_;  // guards db_
  std::unique_ptr<Database> db_;
};

}  // namespace plinth::store
