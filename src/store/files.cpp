#include "core/hash.h"
#include "store/store_impl.h"

namespace plinth::store {
namespace {

constexpr std::string_view kColumns =
    "SELECT id, tenant, filename, purpose, bytes, digest, created_ms FROM files ";

FileInfo file_of(const Row& row) {
  return {.id = row.text(0),
          .tenant_id = row.integer(1),
          .filename = row.text(2),
          .purpose = row.text(3),
          .bytes = row.integer(4),
          .digest = row.text(5),
          .created_ms = row.integer(6)};
}

}  // namespace

Result<FileInfo> Store::add_file(int64_t tenant_id, std::string_view filename,
                                 std::string_view purpose, std::string_view bytes) {
  PLINTH_TRY(const FileInfo file, impl_->keep_bytes(tenant_id, filename, purpose, bytes));
  const std::lock_guard lock(impl_->mutex);
  PLINTH_TRY(impl_->insert_file(file));
  return file;
}

Result<FileInfo> Store::Impl::keep_bytes(int64_t tenant_id, std::string_view filename,
                                         std::string_view purpose, std::string_view bytes) const {
  PLINTH_TRY(const std::string digest, artifacts.put(bytes));
  return FileInfo{.id = "file-" + random_hex(12),
                  .tenant_id = tenant_id,
                  .filename = std::string(filename),
                  .purpose = std::string(purpose),
                  .bytes = static_cast<int64_t>(bytes.size()),
                  .digest = digest,
                  .created_ms = now_ms()};
}

Status Store::Impl::insert_file(const FileInfo& file) {
  return db.run(
      "INSERT INTO files (id, tenant, filename, purpose, bytes, digest, created_ms) "
      "VALUES (?, ?, ?, ?, ?, ?, ?)",
      {file.id, file.tenant_id, file.filename, file.purpose, file.bytes, file.digest,
       file.created_ms});
}

Result<FileInfo> Store::file(int64_t tenant_id, std::string_view id) const {
  const std::lock_guard lock(impl_->mutex);
  std::optional<FileInfo> found;
  PLINTH_TRY(impl_->db.each(std::string(kColumns) + "WHERE id = ? AND tenant = ?", {id, tenant_id},
                            [&](const Row& row) { found = file_of(row); }));
  if (!found) return not_found("file {} is not known", id);
  return *std::move(found);
}

Result<std::vector<FileInfo>> Store::files(int64_t tenant_id) const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<FileInfo> all;
  PLINTH_TRY(impl_->db.each(std::string(kColumns) + "WHERE tenant = ? ORDER BY created_ms DESC, id",
                            {tenant_id}, [&](const Row& row) { all.push_back(file_of(row)); }));
  return all;
}

Status Store::remove_file(int64_t tenant_id, std::string_view id) {
  const std::lock_guard lock(impl_->mutex);
  PLINTH_TRY(impl_->db.run("DELETE FROM files WHERE id = ? AND tenant = ?", {id, tenant_id}));
  if (impl_->db.rows_changed() == 0) return not_found("file {} is not known", id);
  return {};
}

Result<int64_t> Store::stored_bytes(int64_t tenant_id) const {
  const std::lock_guard lock(impl_->mutex);
  int64_t bytes = 0;
  PLINTH_TRY(impl_->db.each("SELECT COALESCE(SUM(bytes), 0) FROM files WHERE tenant = ?",
                            {tenant_id}, [&](const Row& row) { bytes = row.integer(0); }));
  return bytes;
}

}  // namespace plinth::store
