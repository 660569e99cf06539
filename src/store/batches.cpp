#include <utility>

#include "core/hash.h"
#include "store/store_impl.h"

namespace plinth::store {
namespace {

constexpr std::string_view kColumns =
    "SELECT id, tenant, key, endpoint, input_file, metadata, state, total, output_file, "
    "error_file, error, created_ms, ended_ms, "
    "(SELECT COUNT(*) FROM batch_results r WHERE r.batch = b.id AND r.status = 200), "
    "(SELECT COUNT(*) FROM batch_results r WHERE r.batch = b.id AND r.status <> 200) "
    "FROM batches b ";

Batch batch_of(const Row& row) {
  return {.id = row.text(0),
          .tenant_id = row.integer(1),
          .key_id = row.integer(2),
          .endpoint = row.text(3),
          .input_file = row.text(4),
          .metadata = row.text(5),
          .state = row.text(6),
          .total = row.integer(7),
          .output_file = row.text(8),
          .error_file = row.text(9),
          .error = row.text(10),
          .created_ms = row.integer(11),
          .ended_ms = row.integer(12),
          .completed = row.integer(13),
          .failed = row.integer(14)};
}

}  // namespace

Result<Batch> Store::start_batch(const Batch& batch) {
  const std::string id = "batch_" + random_hex(12);
  {
    const std::lock_guard lock(impl_->mutex);
    PLINTH_TRY(impl_->db.run(
        "INSERT INTO batches (id, tenant, key, endpoint, input_file, metadata, state, created_ms) "
        "VALUES (?, ?, ?, ?, ?, ?, 'in_progress', ?)",
        {id, batch.tenant_id, batch.key_id, batch.endpoint, batch.input_file, batch.metadata,
         impl_->now_ms()}));
  }
  return this->batch(batch.tenant_id, id);
}

Result<Batch> Store::batch(int64_t tenant_id, std::string_view id) const {
  const std::lock_guard lock(impl_->mutex);
  std::optional<Batch> found;
  PLINTH_TRY(impl_->db.each(std::string(kColumns) + "WHERE id = ? AND tenant = ?", {id, tenant_id},
                            [&](const Row& row) { found = batch_of(row); }));
  if (!found) return not_found("batch {} is not known", id);
  return *std::move(found);
}

Result<std::vector<Batch>> Store::batches(int64_t tenant_id) const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<Batch> all;
  PLINTH_TRY(impl_->db.each(std::string(kColumns) + "WHERE tenant = ? ORDER BY created_ms DESC, id",
                            {tenant_id}, [&](const Row& row) { all.push_back(batch_of(row)); }));
  return all;
}

Result<std::vector<Batch>> Store::unfinished_batches() const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<Batch> all;
  PLINTH_TRY(
      impl_->db.each(std::string(kColumns) +
                         "WHERE state IN ('in_progress', 'cancelling') ORDER BY created_ms, id",
                     {}, [&](const Row& row) { all.push_back(batch_of(row)); }));
  return all;
}

Status Store::update_batch(const Batch& batch, std::string_view server) {
  const std::lock_guard lock(impl_->mutex);
  return impl_->update_batch(batch, server);
}

Status Store::Impl::update_batch(const Batch& batch, std::string_view server) {
  PLINTH_TRY(
      db.run("UPDATE batches SET state = CASE WHEN state = 'cancelling' AND ?1 = "
             "'in_progress' THEN state ELSE ?1 END, "
             "total = ?, output_file = ?, error_file = ?, error = ?, "
             "ended_ms = ? WHERE id = ? AND "
             "EXISTS (SELECT 1 FROM leases WHERE name = batches.id AND server = ?)",
             {batch.state, batch.total, batch.output_file, batch.error_file, batch.error,
              batch.ended_ms, batch.id, server}));
  if (db.rows_changed() == 0)
    return make_error(Code::kFailedPrecondition, "batch {} is another server's now", batch.id);
  return {};
}

Status Store::end_batch(const Batch& batch, std::string_view output, std::string_view errors,
                        std::string_view server) {
  Batch ended = batch;
  std::vector<FileInfo> files;
  const auto keep = [&](std::string_view text, const char* name, std::string& id) -> Status {
    if (text.empty()) return {};
    PLINTH_TRY(FileInfo file,
               impl_->keep_bytes(batch.tenant_id, batch.id + name, "batch_output", text));
    id = file.id;
    files.push_back(std::move(file));
    return {};
  };
  PLINTH_TRY(keep(output, "_output.jsonl", ended.output_file));
  PLINTH_TRY(keep(errors, "_error.jsonl", ended.error_file));
  const std::lock_guard lock(impl_->mutex);
  return impl_->db.transaction([&]() -> Status {
    PLINTH_TRY(impl_->update_batch(ended, server));
    for (const FileInfo& file : files) {
      PLINTH_TRY(impl_->insert_file(file));
    }
    return {};
  });
}

Status Store::cancel_batch(int64_t tenant_id, std::string_view id) {
  const std::lock_guard lock(impl_->mutex);
  return impl_->db.run(
      "UPDATE batches SET state = 'cancelling' WHERE id = ? AND tenant = ? AND "
      "state = 'in_progress'",
      {id, tenant_id});
}

Status Store::add_batch_result(std::string_view batch, const BatchResult& result) {
  const std::lock_guard lock(impl_->mutex);
  return impl_->db.run(
      "INSERT INTO batch_results (batch, line, custom_id, status, body) VALUES (?, ?, ?, ?, ?) "
      "ON CONFLICT (batch, line) DO NOTHING",
      {batch, result.line, result.custom_id, result.status, result.body});
}

Result<std::vector<BatchResult>> Store::batch_results(std::string_view batch) const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<BatchResult> all;
  PLINTH_TRY(impl_->db.each(
      "SELECT line, custom_id, status, body FROM batch_results WHERE batch = ? ORDER BY line",
      {batch}, [&](const Row& row) {
        all.push_back({.line = row.integer(0),
                       .custom_id = row.text(1),
                       .status = row.integer(2),
                       .body = row.text(3)});
      }));
  return all;
}

}  // namespace plinth::store
