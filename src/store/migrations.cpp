#include "store/migrations.h"

#include <array>

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

constexpr std::string_view kTenancy = R"sql(
-- Lists are JSON arrays of texts; empty: no restriction.
ALTER TABLE keys ADD COLUMN role TEXT NOT NULL DEFAULT 'developer';
ALTER TABLE keys ADD COLUMN models TEXT NOT NULL DEFAULT '[]';
ALTER TABLE keys ADD COLUMN actions TEXT NOT NULL DEFAULT '[]';
ALTER TABLE keys ADD COLUMN expires_ms INTEGER NOT NULL DEFAULT 0;

-- 0: no limit.
CREATE TABLE quotas (
  tenant INTEGER PRIMARY KEY REFERENCES tenants (id),
  requests_per_minute INTEGER NOT NULL,
  tokens_per_minute INTEGER NOT NULL,
  requests_per_month INTEGER NOT NULL,
  tokens_per_month INTEGER NOT NULL,
  concurrent INTEGER NOT NULL,
  storage_bytes INTEGER NOT NULL
) STRICT;

-- Millionths of the currency for a million tokens.
CREATE TABLE prices (
  model TEXT PRIMARY KEY,
  prompt INTEGER NOT NULL CHECK (prompt >= 0),
  cached INTEGER NOT NULL CHECK (cached >= 0),
  completion INTEGER NOT NULL CHECK (completion >= 0)
) STRICT;

CREATE TABLE files (
  id TEXT PRIMARY KEY,
  tenant INTEGER NOT NULL REFERENCES tenants (id),
  filename TEXT NOT NULL,
  purpose TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  digest TEXT NOT NULL,
  created_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX files_by_tenant ON files (tenant);

CREATE TABLE batches (
  id TEXT PRIMARY KEY,
  tenant INTEGER NOT NULL REFERENCES tenants (id),
  key INTEGER NOT NULL REFERENCES keys (id),
  endpoint TEXT NOT NULL,
  input_file TEXT NOT NULL,
  metadata TEXT NOT NULL,
  state TEXT NOT NULL,
  total INTEGER NOT NULL DEFAULT 0,
  output_file TEXT NOT NULL DEFAULT '',
  error_file TEXT NOT NULL DEFAULT '',
  error TEXT NOT NULL DEFAULT '',
  created_ms INTEGER NOT NULL,
  ended_ms INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX batches_by_tenant ON batches (tenant);
-- What is done of a batch: a crash loses nothing that stands here.
CREATE TABLE batch_results (
  batch TEXT NOT NULL REFERENCES batches (id),
  line INTEGER NOT NULL,
  custom_id TEXT NOT NULL,
  status INTEGER NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (batch, line)
) STRICT;
)sql";

constexpr std::string_view kWork = R"sql(
-- Long work: states are those of store/jobs.h; spec and result are JSON.
CREATE TABLE jobs (
  id TEXT PRIMARY KEY,
  tenant INTEGER NOT NULL REFERENCES tenants (id),
  key INTEGER NOT NULL REFERENCES keys (id),
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  spec TEXT NOT NULL,
  result TEXT NOT NULL DEFAULT '{}',
  error TEXT NOT NULL DEFAULT '',
  model TEXT NOT NULL DEFAULT '',
  created_ms INTEGER NOT NULL,
  started_ms INTEGER NOT NULL DEFAULT 0,
  ended_ms INTEGER NOT NULL DEFAULT 0,
  heartbeat_ms INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX jobs_by_tenant ON jobs (tenant);
CREATE TABLE job_events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  job TEXT NOT NULL REFERENCES jobs (id),
  level TEXT NOT NULL,
  type TEXT NOT NULL,
  message TEXT NOT NULL,
  data TEXT NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX job_events_by_job ON job_events (job);
-- Models that one tenant made for itself.
CREATE TABLE model_owners (
  name TEXT PRIMARY KEY,
  tenant INTEGER NOT NULL REFERENCES tenants (id)
) STRICT;

-- Each hash covers its row and the hash before (store/audit.h).
CREATE TABLE audit (
  id INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  actor TEXT NOT NULL,
  tenant TEXT NOT NULL,
  action TEXT NOT NULL,
  detail TEXT NOT NULL,
  status INTEGER NOT NULL,
  request_id TEXT NOT NULL,
  hash TEXT NOT NULL
) STRICT;
CREATE TRIGGER audit_keeps_rows BEFORE DELETE ON audit
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_keeps_values BEFORE UPDATE ON audit
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
)sql";

constexpr std::string_view kOrder = R"sql(
-- Releases of one moment are listed in the order of their first flips.
CREATE INDEX flips_by_release ON flips (release_digest);
)sql";

constexpr std::string_view kTraining = R"sql(
ALTER TABLE usage ADD COLUMN trained_tokens INTEGER NOT NULL DEFAULT 0 CHECK (trained_tokens >= 0);
ALTER TABLE prices ADD COLUMN trained INTEGER NOT NULL DEFAULT 0 CHECK (trained >= 0);
)sql";

constexpr std::string_view kPlant = R"sql(
-- Servers that live, and what each of them does (store/leases.h).
CREATE TABLE servers (
  id TEXT PRIMARY KEY,
  machine TEXT NOT NULL,
  beat INTEGER NOT NULL
) STRICT;
CREATE TABLE leases (
  name TEXT PRIMARY KEY,
  server TEXT NOT NULL REFERENCES servers (id) ON DELETE CASCADE
) STRICT;
CREATE INDEX leases_by_server ON leases (server);

ALTER TABLE usage ADD COLUMN core_us INTEGER NOT NULL DEFAULT 0 CHECK (core_us >= 0);
)sql";

constexpr std::array<std::string_view, 6> kMigrations = {kFirst, kTenancy,  kWork,
                                                         kOrder, kTraining, kPlant};

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
      PLINTH_TRY(const int64_t version, db.version());
      if (version > newest)
        return make_error(Code::kFailedPrecondition,
                          "the database has version {}, this Plinth knows up to {}", version,
                          newest);
      done = version == newest;
      if (done) return {};
      PLINTH_TRY(db.define(migrations()[static_cast<size_t>(version)]));
      return db.set_version(version + 1);
    });
    if (!stepped) return stepped.error();
    if (done) return {};
  }
}

}  // namespace plinth::store
