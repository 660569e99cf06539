#include "store/migrations.h"

#include <array>

#include <fmt/format.h>

namespace plinth::store {
namespace {

constexpr std::string_view kFirst = R"sql(
CREATE TABLE bases (
  name TEXT PRIMARY KEY,
  digest TEXT NOT NULL,
  path TEXT NOT NULL,
  created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE adapters (
  digest TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  base_digest TEXT NOT NULL,
  created_ms INTEGER NOT NULL
) STRICT;

-- The document is the canonical JSON; digest is its SHA-256. The name is repeated for look-ups.
CREATE TABLE releases (
  digest TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  document TEXT NOT NULL,
  created_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX releases_by_name ON releases (name);

-- Append-only. before: the flip that a rollback returns to, NULL for the first release of a name.
CREATE TABLE flips (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  release_digest TEXT NOT NULL REFERENCES releases (digest),
  before INTEGER REFERENCES flips (id),
  kind TEXT NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX flips_by_name ON flips (name);
CREATE TABLE aliases (
  name TEXT PRIMARY KEY,
  flip INTEGER NOT NULL REFERENCES flips (id)
) STRICT;

CREATE TABLE tenants (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  created_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE keys (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant INTEGER NOT NULL REFERENCES tenants (id),
  prefix TEXT NOT NULL UNIQUE,
  label TEXT NOT NULL,
  salt TEXT NOT NULL,
  hash TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  revoked_ms INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE usage (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  request_id TEXT NOT NULL UNIQUE,
  tenant INTEGER NOT NULL REFERENCES tenants (id),
  key INTEGER NOT NULL REFERENCES keys (id),
  model TEXT NOT NULL,
  model_digest TEXT NOT NULL,
  prompt_tokens INTEGER NOT NULL CHECK (prompt_tokens >= 0),
  completion_tokens INTEGER NOT NULL CHECK (completion_tokens >= 0),
  cached_tokens INTEGER NOT NULL CHECK (cached_tokens BETWEEN 0 AND prompt_tokens),
  outcome TEXT NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX usage_by_tenant ON usage (tenant, at_ms);
CREATE TRIGGER usage_keeps_rows BEFORE DELETE ON usage
  BEGIN SELECT RAISE(ABORT, 'the usage ledger is append-only'); END;
CREATE TRIGGER usage_keeps_values BEFORE UPDATE ON usage
  BEGIN SELECT RAISE(ABORT, 'the usage ledger is append-only'); END;

CREATE TABLE runs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  detail TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  heartbeat_ms INTEGER NOT NULL
) STRICT;
)sql";

constexpr std::array<std::string_view, 1> kMigrations = {kFirst};

}  // namespace

std::span<const std::string_view> migrations() {
  return kMigrations;
}

Status migrate(Database& db) {
  const auto newest = static_cast<int64_t>(migrations().size());
  while (true) {
    bool done = false;
    // The version is read inside the transaction: two processes may open an empty folder at once.
    const Status stepped = db.transaction([&]() -> Status {
      PLINTH_TRY(const int64_t version, db.integer("PRAGMA user_version"));
      if (version > newest)
        return make_error(Code::kFailedPrecondition,
                          "the database has version {}, this Plinth knows up to {}", version,
                          newest);
      done = version == newest;
      if (done) return {};
      PLINTH_TRY(db.script(migrations()[static_cast<size_t>(version)]));
      return db.script(fmt::format("PRAGMA user_version = {}", version + 1));
    });
    if (!stepped) return stepped.error();
    if (done) return {};
  }
}

}  // namespace plinth::store
