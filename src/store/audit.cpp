#include "store/audit.h"

#include <utility>

#include "core/hash.h"
#include "core/json.h"
#include "store/database.h"

namespace plinth::store {
namespace {

constexpr std::string_view kColumns =
    "SELECT id, at_ms, actor, tenant, action, detail, status, request_id, hash FROM audit ";

AuditEntry entry_of(const Row& row) {
  return {.id = row.integer(0),
          .at_ms = row.integer(1),
          .actor = row.text(2),
          .tenant = row.text(3),
          .action = row.text(4),
          .detail = row.text(5),
          .status = row.integer(6),
          .request_id = row.text(7),
          .hash = row.text(8)};
}

std::string hash_of(const AuditEntry& entry, std::string_view before) {
  return sha256_hex(
      to_text(Json::array({before, entry.id, entry.at_ms, entry.actor, entry.tenant, entry.action,
                           entry.detail, entry.status, entry.request_id})));
}

}  // namespace

Result<std::unique_ptr<AuditLog>> AuditLog::open(const Path& home, const Clock& clock) {
  PLINTH_TRY(auto db, open_database(home));
  return std::unique_ptr<AuditLog>(new AuditLog(std::move(db), clock));
}

AuditLog::AuditLog(std::unique_ptr<Database> db, const Clock& clock)
    : clock_(clock), db_(std::move(db)) {}

AuditLog::~AuditLog() = default;

Status AuditLog::append(AuditEntry entry) {
  const std::lock_guard lock(mutex_);
  return db_->transaction([&]() -> Status {
    std::string before;
    entry.id = 1;
    PLINTH_TRY(
        db_->each("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1", {}, [&](const Row& row) {
          entry.id = row.integer(0) + 1;
          before = row.text(1);
        }));
    entry.at_ms = clock_.unix_ms();
    entry.hash = hash_of(entry, before);
    return db_->run(
        "INSERT INTO audit (id, at_ms, actor, tenant, action, detail, status, request_id, hash) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        {entry.id, entry.at_ms, entry.actor, entry.tenant, entry.action, entry.detail, entry.status,
         entry.request_id, entry.hash});
  });
}

Result<std::vector<AuditEntry>> AuditLog::entries(int64_t limit) const {
  const std::lock_guard lock(mutex_);
  std::vector<AuditEntry> all;
  PLINTH_TRY(db_->each(std::string(kColumns) + "ORDER BY id DESC LIMIT ?", {limit},
                       [&](const Row& row) { all.push_back(entry_of(row)); }));
  return all;
}

Result<AuditCheck> AuditLog::verify() const {
  const std::lock_guard lock(mutex_);
  AuditCheck check;
  PLINTH_TRY(db_->each(std::string(kColumns) + "ORDER BY id", {}, [&](const Row& row) {
    const AuditEntry entry = entry_of(row);
    const bool fits =
        entry.id == check.entries + 1 && entry.hash == hash_of(entry, check.last_hash);
    if (!fits && check.broken_at == 0) check.broken_at = entry.id;
    ++check.entries;
    check.last_hash = entry.hash;
  }));
  return check;
}

}  // namespace plinth::store
