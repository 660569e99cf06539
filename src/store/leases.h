// Which of several servers on one database does what: a lease is held by one server at a time, and
// a server that died gives up all of its leases.
//
// No clock is compared with another machine's. Every server raises a number in its row (a beat);
// the others watch, each by its own monotonic clock, and one whose number has stood still for
// kDead is dead: its row goes, and its leases with it (decision 0040). Clocks that are wrong, or
// jump, change nothing. Where the dead server's home is this one's, on this machine, its lock file
// says so at once.
//
// A server that was taken for dead, because it was stopped or cut off from the database, holds
// nothing any more: it notices when it next beats, and stops believing in its leases by its own
// clock (kTrust) before the others may take them. Writes that must not come from such a server ask
// the database (jobs.cpp): a lease's holder is a fact there.
//
// Threads: any. It has a connection of its own to the store's database.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/file.h"
#include "core/result.h"

namespace plinth::store {

class Database;

class Leases {
 public:
  static constexpr int64_t kBeatMs = 2'000;   // how often to call tend()
  static constexpr int64_t kTrustMs = 8'000;  // after the last beat: the own leases
  static constexpr int64_t kDeadMs = 12'000;  // without a beat: another server

  // Of a home that a Store has opened (and migrated). `clock` outlives the leases. Where the
  // database takes no row, now, there are no leases until tend() has found that it does.
  static Result<std::unique_ptr<Leases>> open(const Path& home,
                                              const Clock& clock = system_clock());
  // Gives all of them up.
  ~Leases();

  // Beats, and looks after the others. Called every kBeatMs; unavailable: the database is away.
  Status tend();

  // True: it is this server's now, or was already.
  Result<bool> take(std::string_view name);
  void release(std::string_view name);
  // It is this server's, as far as it can know without asking. Cheap.
  bool held(std::string_view name) const;

  // This server, as leases name it. Another one after it was taken for dead.
  std::string server() const;

 private:
  struct Watched {
    int64_t beat = 0;
    int64_t since_ms = 0;  // by clock_
  };

  Leases(const Path& home, std::unique_ptr<Database> db, const Clock& clock);

  Status enlist();
  Status watch();
  Result<bool> gone(const std::string& server, const std::string& machine, int64_t beat);

  int64_t now_ms() const { return clock_.monotonic_ns() / 1'000'000; }

  bool trusted() const { return !server_.empty() && now_ms() - beat_ms_ < kTrustMs; }

  const Path folder_;  // lock files of the servers of this home
  const std::string machine_;
  const Clock& clock_;
  mutable std::mutex mutex_;  // guards what follows
  std::unique_ptr<Database> db_;
  std::string server_;  // empty: has no row
  std::optional<FileLock> lock_;
  int64_t beat_ms_ = 0;  // before the last beat that arrived was sent
  std::set<std::string, std::less<>> held_;
  std::map<std::string, Watched> watched_;
};

}  // namespace plinth::store
