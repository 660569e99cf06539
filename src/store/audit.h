// The audit log: who did what, in a chain of hashes. Each entry's hash covers its text and the hash
// before it, so that an entry that was changed, taken out or put in is found by verify(), unless
// everything behind it was written anew: keep the last hash somewhere else as well.
//
// Threads: any. It has a connection of its own to the store's database; entries of several
// processes form one chain.
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

struct AuditEntry {
  int64_t id = 0;  // from 1, without gaps; set by append()
  int64_t at_ms = 0;
  std::string actor = {};   // prefix of a key, or "command line: USER"
  std::string tenant = {};  // of the key; empty: none
  std::string action = {};  // "POST /plinth/v1/keys", "key create"
  std::string detail = {};  // what was asked for, without secrets
  int64_t status = 0;       // of HTTP; 0: done on the command line
  std::string request_id = {};
  std::string hash = {};  // set by append()
};

// What verify() found. broken_at 0: the chain is whole.
struct AuditCheck {
  int64_t entries = 0;
  std::string last_hash = {};
  int64_t broken_at = 0;  // id of the first entry that does not fit
};

class AuditLog {
 public:
  // Of a home that a Store has opened (and migrated). `clock` outlives the log.
  static Result<std::unique_ptr<AuditLog>> open(const Path& home,
                                                const Clock& clock = system_clock());
  ~AuditLog();

  // Durable on return.
  Status append(AuditEntry entry);
  // The newest first.
  Result<std::vector<AuditEntry>> entries(int64_t limit) const;
  Result<AuditCheck> verify() const;

 private:
  AuditLog(std::unique_ptr<Database> db, const Clock& clock);

  const Clock& clock_;
  mutable std::mutex mutex_;  // guards db_
  std::unique_ptr<Database> db_;
};

}  // namespace plinth::store
