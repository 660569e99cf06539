#include "store/leases.h"

#include <algorithm>
#include <system_error>
#include <utility>
#include <vector>

#include "core/hash.h"
#include "core/log.h"
#include "store/database.h"

namespace plinth::store {
namespace {

constexpr size_t kBootIdMax = 64;

// Two processes with the same one see each other's file locks. Empty: not known.
std::string this_machine() {
  auto id = read_file("/proc/sys/kernel/random/boot_id", kBootIdMax);
  if (!id) return "";
  std::erase(*id, '\n');
  return *id;
}

}  // namespace

Result<std::unique_ptr<Leases>> Leases::open(const Path& home, const Clock& clock) {
  PLINTH_TRY(auto db, open_database(home));
  std::unique_ptr<Leases> leases(new Leases(home, std::move(db), clock));
  // A full disk keeps nobody from answering: without a row it has no leases, and tries again.
  if (const Status begun = leases->tend(); !begun) log_warn("leases: {}", begun.error().message);
  return leases;
}

Leases::Leases(const Path& home, std::unique_ptr<Database> db, const Clock& clock)
    : folder_(home / "servers"), machine_(this_machine()), clock_(clock), db_(std::move(db)) {}

Leases::~Leases() {
  const std::lock_guard lock(mutex_);
  if (server_.empty()) return;
  const Status gone = db_->run("DELETE FROM servers WHERE id = ?", {server_});
  if (!gone) log_warn("server {}: {}", server_, gone.error().message);
  std::error_code ignored;
  std::filesystem::remove(folder_ / server_, ignored);
}

// The lock first: a row whose lock is free is a dead server's.
Status Leases::enlist() {
  held_.clear();
  server_.clear();
  const int64_t before_ms = now_ms();
  const std::string id = random_hex(12);
  PLINTH_TRY(make_directories(folder_));
  PLINTH_TRY(lock_, FileLock::take(folder_ / id));
  const Status added =
      db_->run("INSERT INTO servers (id, machine, beat) VALUES (?, ?, 0)", {id, machine_});
  if (!added) {
    std::error_code ignored;
    std::filesystem::remove(folder_ / id, ignored);
    return added;
  }
  server_ = id;
  beat_ms_ = before_ms;
  return {};
}

Status Leases::tend() {
  const std::lock_guard lock(mutex_);
  if (server_.empty()) {
    PLINTH_TRY(enlist());
  } else {
    const int64_t before_ms = now_ms();
    PLINTH_TRY(db_->run("UPDATE servers SET beat = beat + 1 WHERE id = ?", {server_}));
    if (db_->rows_changed() == 0) {
      log_warn("server {} was taken for dead; its jobs go on elsewhere", server_);
      std::error_code ignored;
      std::filesystem::remove(folder_ / server_, ignored);
      PLINTH_TRY(enlist());
    }
    beat_ms_ = before_ms;
  }
  return watch();
}

Status Leases::watch() {
  struct Other {
    std::string id;
    std::string machine;
    int64_t beat = 0;
  };

  std::vector<Other> others;
  PLINTH_TRY(db_->each("SELECT id, machine, beat FROM servers WHERE id <> ?", {server_},
                       [&](const Row& row) {
                         others.push_back({row.text(0), row.text(1), row.integer(2)});
                       }));
  std::map<std::string, Watched> now;
  for (const Other& other : others) {
    PLINTH_TRY(const bool dead, gone(other.id, other.machine, other.beat));
    if (!dead) {
      now[other.id] = watched_[other.id];
      continue;
    }
    // Only as it was seen: it may have beaten meanwhile.
    PLINTH_TRY(db_->run("DELETE FROM servers WHERE id = ? AND beat = ?", {other.id, other.beat}));
    if (db_->rows_changed() > 0) log_info("server {} is dead; its jobs are free", other.id);
  }
  watched_ = std::move(now);
  return {};
}

Result<bool> Leases::gone(const std::string& server, const std::string& machine, int64_t beat) {
  std::error_code error;
  const Path file = folder_ / server;
  if (!machine.empty() && machine == machine_ && std::filesystem::exists(file, error) && !error) {
    if (const auto free = FileLock::take(file)) {
      std::filesystem::remove(file, error);
      return true;
    }
  }
  auto [it, fresh] = watched_.try_emplace(server, Watched{beat, now_ms()});
  if (!fresh && it->second.beat != beat) it->second = {beat, now_ms()};
  return now_ms() - it->second.since_ms >= kDeadMs;
}

Result<bool> Leases::take(std::string_view name) {
  const std::lock_guard lock(mutex_);
  if (!trusted()) return false;
  // A server whose row is gone is refused by the reference. One that is its own already is there
  // when a release() did not reach the database: it counts as taken.
  const Status taken = db_->run(
      "INSERT INTO leases (name, server) VALUES (?, ?) ON CONFLICT (name) DO UPDATE "
      "SET server = excluded.server WHERE leases.server = excluded.server",
      {name, server_});
  if (!taken && taken.error().code == Code::kFailedPrecondition) return false;
  PLINTH_TRY(Status(taken));
  if (db_->rows_changed() > 0) held_.insert(std::string(name));
  return held_.contains(name);
}

void Leases::release(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto it = held_.find(name);
  if (it == held_.end()) return;
  held_.erase(it);
  const Status gone = db_->run("DELETE FROM leases WHERE name = ? AND server = ?", {name, server_});
  if (!gone) log_warn("lease {}: {}", name, gone.error().message);
}

bool Leases::held(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  return held_.contains(name) && trusted();
}

std::string Leases::server() const {
  const std::lock_guard lock(mutex_);
  return server_;
}

}  // namespace plinth::store
