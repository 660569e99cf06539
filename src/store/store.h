// Everything Plinth remembers, in one folder (PLINTH_HOME):
//
//   plinth.db    SQLite in WAL mode, synchronous=FULL: what a call here acknowledged survives a
//                power cut. Numbered migrations run on open. Or a PostgreSQL elsewhere: where
//                $PLINTH_DATABASE or plinth.toml says so (store/database.h).
//   artifacts/   immutable bytes named by their SHA-256 (artifacts.h)
//
// Names are aliases, bytes are digests. A release is immutable and named by the digest of its
// canonical JSON; an alias says which release a name means now, and flips in one transaction.
//
// Threads: every member may be called from any thread (one connection behind one mutex). Several
// processes may have the same folder open: writers queue up for a few seconds, then kUnavailable,
// which is also what every call says while a PostgreSQL is away.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/file.h"
#include "core/result.h"
#include "store/artifacts.h"

namespace plinth::store {

// A base as it was imported. Importing another file under the same name moves the name.
struct Base {
  std::string name = {};
  std::string digest = {};  // Model::digest()
  Path path = {};           // a GGUF file or a Hugging Face folder
  int64_t created_ms = 0;
};

struct AdapterInfo {
  std::string digest;  // of the PEFT folder as an artifact
  std::string name;
  std::string base_digest;  // what it was tuned on
  int64_t created_ms = 0;
};

// One immutable version of a domain model. `digest` and `created_ms` are set by the store; two
// releases with equal content are one release.
struct Release {
  std::string name = {};
  std::string base_digest = {};
  std::string adapter_digest = {};    // empty: the plain base
  std::string chat_template = {};     // Jinja; empty: the base's own
  std::string system_prompt = {};     // empty: none
  std::string knowledge_digest = {};  // a knowledge index; empty: none
  bool knowledge_in_prompt =
      false;                   // retrieved passages go into the prompt, not only into citations
  std::string verdict = "{}";  // JSON of the proof that let it pass

  std::string digest = {};
  int64_t created_ms = 0;
};

struct Alias {
  std::string name;
  std::string release_digest;
  int64_t flipped_ms = 0;
};

// One change of an alias. History is append-only.
struct Flip {
  int64_t id = 0;
  std::string name;
  std::string release_digest;
  std::string kind;  // "publish" or "rollback"
  int64_t at_ms = 0;
};

struct Tenant {
  int64_t id = 0;
  std::string name;
  int64_t created_ms = 0;
};

// What a key may do. What the words mean is the server's business (server/access.h).
struct KeyScope {
  std::string role = "developer";
  std::vector<std::string> models = {};   // names; empty: all
  std::vector<std::string> actions = {};  // of the role's; empty: all of them
  int64_t expires_ms = 0;                 // 0: never
};

// What may be shown of a key. The key itself is shown once, by create_key().
struct KeyInfo {
  int64_t id = 0;
  int64_t tenant_id = 0;
  std::string tenant;
  std::string prefix;  // "plinth-3f9a0c5d11e2": finds the row, opens nothing
  std::string label;
  int64_t created_ms = 0;
  int64_t revoked_ms = 0;  // 0: valid
  KeyScope scope = {};
};

struct NewKey {
  KeyInfo info;
  std::string secret;  // the whole key; kept nowhere
};

// What a tenant may use; 0: no limit.
struct Quota {
  int64_t requests_per_minute = 0;
  int64_t tokens_per_minute = 0;
  int64_t requests_per_month = 0;
  int64_t tokens_per_month = 0;
  int64_t concurrent = 0;
  int64_t storage_bytes = 0;

  bool operator==(const Quota&) const = default;
};

// Of a million tokens, in millionths of the currency that all prices are in.
struct Price {
  std::string model = {};  // "*": all models without a price of their own
  int64_t prompt = 0;
  int64_t cached = 0;  // prompt tokens that came from the cache
  int64_t completion = 0;
  int64_t trained = 0;  // tokens that a tuning job read
};

// One request, or one tuning job, in the ledger. `request_id` is unique: a row that comes twice
// counts once.
struct UsageRow {
  std::string request_id = {};
  int64_t tenant_id = 0;
  int64_t key_id = 0;
  std::string model = {};         // the name that was asked for
  std::string model_digest = {};  // the release (or base) that answered
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
  int64_t cached_tokens = 0;  // of the prompt
  int64_t trained_tokens = 0;
  int64_t core_us = 0;       // microseconds of a core
  std::string outcome = {};  // "stop", "length", "cancelled", "error", "trained"
  int64_t at_ms = 0;         // 0: now
};

struct UsageTotal {
  std::string tenant;
  std::string model;
  int64_t requests = 0;
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
  int64_t cached_tokens = 0;
  int64_t trained_tokens = 0;
  int64_t core_us = 0;
};

// A total and what it costs, in millionths of the currency, rounded down.
struct StatementRow {
  UsageTotal total = {};
  Price price = {};
  int64_t cost = 0;
};

struct UsageQuery {
  std::string tenant = {};       // empty: all
  int64_t from_ms = 0;           // inclusive
  int64_t until_ms = INT64_MAX;  // exclusive
};

// A tenant's file; its bytes are an artifact.
struct FileInfo {
  std::string id = {};  // "file-..."; set by the store
  int64_t tenant_id = 0;
  std::string filename = {};
  std::string purpose = {};
  int64_t bytes = 0;
  std::string digest = {};
  int64_t created_ms = 0;
};

// Many requests from a file, answered in the background.
struct Batch {
  std::string id = {};  // "batch_..."; set by the store
  int64_t tenant_id = 0;
  int64_t key_id = 0;  // answers are billed to it
  std::string endpoint = {};
  std::string input_file = {};
  std::string metadata = "{}";
  // "in_progress", "cancelling", "completed", "cancelled", "failed", "expired"
  std::string state = {};
  int64_t total = 0;  // requests; 0 until the input has been read
  std::string output_file = {};
  std::string error_file = {};
  std::string error = {};
  int64_t created_ms = 0;
  int64_t ended_ms = 0;

  int64_t completed = 0;  // results with status 200
  int64_t failed = 0;     // others
};

struct BatchResult {
  int64_t line = 0;
  std::string custom_id = {};
  int64_t status = 0;  // of HTTP
  std::string body = {};
};

class Store {
 public:
  // Creates the folder when missing, migrates the database. A database written by a newer Plinth is
  // refused (kFailedPrecondition). `clock` outlives the store.
  static Result<std::unique_ptr<Store>> open(const Path& home, const Clock& clock = system_clock());
  ~Store();

  const Path& home() const;
  const Artifacts& artifacts() const;

  Status put_base(const Base& base);
  // The name only; files are the caller's. kNotFound for an unknown name.
  Status remove_base(std::string_view name);
  Result<Base> base(std::string_view name) const;
  Result<std::vector<Base>> bases() const;

  // Copies a PEFT folder or an adapter file into the artifacts and registers it. The same content
  // twice is one adapter.
  Result<AdapterInfo> add_adapter(const Path& path, std::string_view name,
                                  std::string_view base_digest);
  Result<AdapterInfo> adapter(std::string_view digest) const;
  Result<std::vector<AdapterInfo>> adapters() const;

  // Adds the release if it is new and points its name at it, in one transaction: readers see the
  // old release or the new one. Publishing what is live already changes nothing. kNotFound when the
  // adapter is not registered. The gate is the caller's (server/publish.h).
  Result<Release> publish(const Release& release);
  // Points the name back at the release that was live before the current one; again goes further
  // back. kNotFound for an unknown name, kFailedPrecondition at the first release.
  Result<Release> rollback(std::string_view name);

  // kDataLoss when the stored document does not match its digest.
  Result<Release> release(std::string_view digest) const;
  // All of one name (empty: of all), newest first.
  Result<std::vector<Release>> releases(std::string_view name = {}) const;
  Result<Alias> alias(std::string_view name) const;
  Result<std::vector<Alias>> aliases() const;
  Result<std::vector<Flip>> history(std::string_view name) const;  // oldest first

  Result<Tenant> create_tenant(std::string_view name);
  Result<Tenant> tenant(std::string_view name) const;
  Result<std::vector<Tenant>> tenants() const;

  // A new random key of 256 bits. Only a salted SHA-256 of it is kept.
  Result<NewKey> create_key(std::string_view tenant, std::string_view label,
                            const KeyScope& scope = {});
  Result<std::vector<KeyInfo>> keys(std::string_view tenant = {}) const;
  // By prefix. Revoking twice keeps the first time.
  Status revoke_key(std::string_view prefix);
  // kUnauthenticated for anything but a valid key, with one message for all reasons. The comparison
  // takes the same time wherever the keys differ.
  Result<KeyInfo> check_key(std::string_view secret) const;
  // By its number, as long as it is valid: for work that goes on after its request has ended.
  Result<KeyInfo> valid_key(int64_t id) const;

  Status set_quota(std::string_view tenant, const Quota& quota);
  Result<Quota> quota(int64_t tenant_id) const;  // none set: no limits

  Status set_price(const Price& price);
  Result<std::vector<Price>> prices() const;

  // All rows or none, durable on return.
  Status add_usage(const std::vector<UsageRow>& rows);
  // Sums by tenant and model, in that order.
  Result<std::vector<UsageTotal>> usage(const UsageQuery& query = {}) const;
  // The same with prices as they are now; models without a price cost nothing.
  Result<std::vector<StatementRow>> statement(const UsageQuery& query) const;
  // Requests and tokens (prompt and completion) of one tenant: from_ms <= at < until_ms.
  Result<std::pair<int64_t, int64_t>> used_between(int64_t tenant_id, int64_t from_ms,
                                                   int64_t until_ms) const;

  // Keeps the bytes. Files are found only by their own tenant: kNotFound for others'.
  Result<FileInfo> add_file(int64_t tenant_id, std::string_view filename, std::string_view purpose,
                            std::string_view bytes);
  Result<FileInfo> file(int64_t tenant_id, std::string_view id) const;
  Result<std::vector<FileInfo>> files(int64_t tenant_id) const;  // newest first
  // The row; the artifact may be shared and stays.
  Status remove_file(int64_t tenant_id, std::string_view id);
  Result<int64_t> stored_bytes(int64_t tenant_id) const;

  Result<Batch> start_batch(const Batch& batch);
  Result<Batch> batch(int64_t tenant_id, std::string_view id) const;
  Result<std::vector<Batch>> batches(int64_t tenant_id) const;  // newest first
  // Of all tenants, the oldest first: what a server has to go on with when it starts.
  Result<std::vector<Batch>> unfinished_batches() const;
  // State, total, error and end, of a batch whose lease (leases.h) is this server's;
  // kFailedPrecondition: it is another's.
  Status update_batch(const Batch& batch, std::string_view server);
  // The same with what came out, as files of the tenant; an empty text makes none. All of it or
  // nothing: no file is left without its batch.
  Status end_batch(const Batch& batch, std::string_view output, std::string_view errors,
                   std::string_view server);
  // in_progress becomes cancelling; anything else stays.
  Status cancel_batch(int64_t tenant_id, std::string_view id);
  // A line that is there already stays as it is.
  Status add_batch_result(std::string_view batch, const BatchResult& result);
  Result<std::vector<BatchResult>> batch_results(std::string_view batch) const;  // by line

 private:
  struct Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The canonical JSON of a release (sorted keys, no spaces, without digest and time); its SHA-256 is
// the release's digest.
std::string canonical_release(const Release& release);

}  // namespace plinth::store
