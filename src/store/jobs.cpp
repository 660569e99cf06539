#include "store/jobs.h"

#include <optional>
#include <utility>

#include "core/hash.h"
#include "store/database.h"

namespace plinth::store {
namespace {

constexpr std::string_view kColumns =
    "SELECT id, tenant, key, kind, state, spec, result, error, model, created_ms, started_ms, "
    "ended_ms, heartbeat_ms FROM jobs ";

Job job_of(const Row& row) {
  return {.id = row.text(0),
          .tenant_id = row.integer(1),
          .key_id = row.integer(2),
          .kind = row.text(3),
          .state = row.text(4),
          .spec = row.text(5),
          .result = row.text(6),
          .error = row.text(7),
          .model = row.text(8),
          .created_ms = row.integer(9),
          .started_ms = row.integer(10),
          .ended_ms = row.integer(11),
          .heartbeat_ms = row.integer(12)};
}

// OpenAI's clients know tuning jobs; the others are named for what they make.
std::string_view prefix_of(std::string_view kind) {
  if (kind == "refine") return "corpus-";
  if (kind == "prove") return "proof-";
  return "ftjob-";
}

}  // namespace

Result<std::unique_ptr<Jobs>> Jobs::open(const Path& home, const Clock& clock) {
  PLINTH_TRY(auto db, open_database(home));
  return std::unique_ptr<Jobs>(new Jobs(std::move(db), clock));
}

Jobs::Jobs(std::unique_ptr<Database> db, const Clock& clock) : clock_(clock), db_(std::move(db)) {}

Jobs::~Jobs() = default;

Result<Job> Jobs::create(const Job& job) {
  const std::string id = std::string(prefix_of(job.kind)) + random_hex(12);
  {
    const std::lock_guard lock(mutex_);
    PLINTH_TRY(
        db_->run("INSERT INTO jobs (id, tenant, key, kind, state, spec, created_ms) "
                 "VALUES (?, ?, ?, ?, 'validating_files', ?, ?)",
                 {id, job.tenant_id, job.key_id, job.kind, job.spec, clock_.unix_ms()}));
  }
  PLINTH_TRY(add_event(id, {.message = "Created job " + id}));
  return this->job(job.tenant_id, id);
}

Result<Job> Jobs::job(int64_t tenant_id, std::string_view id) const {
  const std::lock_guard lock(mutex_);
  std::optional<Job> found;
  PLINTH_TRY(db_->each(std::string(kColumns) + "WHERE id = ?1 AND (tenant = ?2 OR ?2 = 0)",
                       {id, tenant_id}, [&](const Row& row) { found = job_of(row); }));
  if (!found) return not_found("job {} is not known", id);
  return *std::move(found);
}

Result<std::vector<Job>> Jobs::jobs(int64_t tenant_id, std::string_view kind) const {
  const std::lock_guard lock(mutex_);
  std::vector<Job> all;
  PLINTH_TRY(db_->each(
      std::string(kColumns) +
          "WHERE (tenant = ?1 OR ?1 = 0) AND (kind = ?2 OR ?2 = '') ORDER BY created_ms DESC, id",
      {tenant_id, kind}, [&](const Row& row) { all.push_back(job_of(row)); }));
  return all;
}

Result<std::vector<Job>> Jobs::unfinished() const {
  const std::lock_guard lock(mutex_);
  std::vector<Job> all;
  PLINTH_TRY(db_->each(std::string(kColumns) +
                           "WHERE state IN ('validating_files', 'queued', 'running') "
                           "ORDER BY created_ms, id",
                       {}, [&](const Row& row) { all.push_back(job_of(row)); }));
  return all;
}

Result<bool> Jobs::flip(std::string_view id, std::string_view from, std::string_view to) {
  const std::string list = fmt::format(",{},", from);
  const std::lock_guard lock(mutex_);
  const int64_t now_ms = clock_.unix_ms();
  PLINTH_TRY(db_->run(
      "UPDATE jobs SET state = ?1, heartbeat_ms = ?2, "
      "started_ms = CASE WHEN ?1 = 'running' AND started_ms = 0 THEN ?2 ELSE started_ms END, "
      "ended_ms = CASE WHEN ?1 = 'cancelled' THEN ?2 ELSE ended_ms END "
      "WHERE id = ?3 AND ?4 LIKE '%,' || state || ',%'",
      {to, now_ms, id, list}));
  return db_->rows_changed() > 0;
}

Result<bool> Jobs::finish(const Job& job, std::string_view state, std::string_view server) {
  const std::lock_guard lock(mutex_);
  PLINTH_TRY(
      db_->run("UPDATE jobs SET state = ?, result = ?, error = ?, model = ?, ended_ms = ? "
               "WHERE id = ? AND state = 'running' AND "
               "EXISTS (SELECT 1 FROM leases WHERE name = jobs.id AND server = ?)",
               {state, job.result, job.error, job.model, clock_.unix_ms(), job.id, server}));
  return db_->rows_changed() > 0;
}

Status Jobs::beat(std::string_view id) {
  const std::lock_guard lock(mutex_);
  return db_->run("UPDATE jobs SET heartbeat_ms = ? WHERE id = ?", {clock_.unix_ms(), id});
}

Status Jobs::add_event(std::string_view job, const JobEvent& event) {
  const std::lock_guard lock(mutex_);
  return db_->run(
      "INSERT INTO job_events (job, level, type, message, data, at_ms) VALUES (?, ?, ?, ?, ?, ?)",
      {job, event.level, event.type, event.message, event.data, clock_.unix_ms()});
}

Result<std::vector<JobEvent>> Jobs::events(std::string_view job) const {
  const std::lock_guard lock(mutex_);
  std::vector<JobEvent> all;
  PLINTH_TRY(
      db_->each("SELECT id, level, type, message, data, at_ms FROM job_events WHERE job = ? "
                "ORDER BY id DESC",
                {job}, [&](const Row& row) {
                  all.push_back({.id = row.integer(0),
                                 .level = row.text(1),
                                 .type = row.text(2),
                                 .message = row.text(3),
                                 .data = row.text(4),
                                 .at_ms = row.integer(5)});
                }));
  return all;
}

Status Jobs::own_model(std::string_view name, int64_t tenant_id) {
  const std::lock_guard lock(mutex_);
  return db_->run(
      "INSERT INTO model_owners (name, tenant) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
      {name, tenant_id});
}

Result<int64_t> Jobs::owner(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  int64_t tenant = 0;
  PLINTH_TRY(db_->each("SELECT tenant FROM model_owners WHERE name = ?", {name},
                       [&](const Row& row) { tenant = row.integer(0); }));
  return tenant;
}

}  // namespace plinth::store
