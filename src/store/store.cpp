#include "store/store.h"

#include <filesystem>

#include "store/migrations.h"
#include "store/store_impl.h"

namespace plinth::store {
namespace {

Base base_of(const Row& row) {
  return {.name = row.text(0),
          .digest = row.text(1),
          .path = row.text(2),
          .created_ms = row.integer(3)};
}

AdapterInfo adapter_of(const Row& row) {
  return {.digest = row.text(0),
          .name = row.text(1),
          .base_digest = row.text(2),
          .created_ms = row.integer(3)};
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const Path& home, const Clock& clock) {
  PLINTH_TRY(make_directories(home));
  PLINTH_TRY(auto artifacts, Artifacts::open(home / "artifacts"));
  PLINTH_TRY(auto db, open_database(home));
  PLINTH_TRY(migrate(*db));
  return std::unique_ptr<Store>(
      new Store(std::make_unique<Impl>(home, clock, std::move(artifacts), std::move(db))));
}

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Store::~Store() = default;

const Path& Store::home() const {
  return impl_->home;
}

const Artifacts& Store::artifacts() const {
  return impl_->artifacts;
}

Status Store::put_base(const Base& base) {
  if (base.name.empty()) return invalid("a base needs a name");
  const std::lock_guard lock(impl_->mutex);
  return impl_->db.run(
      "INSERT INTO bases (name, digest, path, created_ms) VALUES (?, ?, ?, ?) "
      "ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, path = excluded.path",
      {base.name, base.digest, base.path.native(), impl_->now_ms()});
}

Status Store::remove_base(std::string_view name) {
  const std::lock_guard lock(impl_->mutex);
  PLINTH_TRY(impl_->db.run("DELETE FROM bases WHERE name = ?", {name}));
  if (impl_->db.rows_changed() == 0) return not_found("base {} is not known", name);
  return {};
}

Result<Base> Store::base(std::string_view name) const {
  const std::lock_guard lock(impl_->mutex);
  std::optional<Base> found;
  PLINTH_TRY(impl_->db.each("SELECT name, digest, path, created_ms FROM bases WHERE name = ?",
                            {name}, [&](const Row& row) { found = base_of(row); }));
  if (!found) return not_found("base {} is not known", name);
  return *std::move(found);
}

Result<std::vector<Base>> Store::bases() const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<Base> all;
  PLINTH_TRY(impl_->db.each("SELECT name, digest, path, created_ms FROM bases ORDER BY name", {},
                            [&](const Row& row) { all.push_back(base_of(row)); }));
  return all;
}

Result<AdapterInfo> Store::add_adapter(const Path& path, std::string_view name,
                                       std::string_view base_digest) {
  // The bytes go first: a row never names an artifact that is not there.
  const auto& artifacts = impl_->artifacts;
  std::error_code code;
  PLINTH_TRY(const std::string digest, std::filesystem::is_directory(path, code)
                                           ? artifacts.put_folder(path)
                                           : artifacts.put_file(path));
  {
    const std::lock_guard lock(impl_->mutex);
    PLINTH_TRY(impl_->db.run(
        "INSERT INTO adapters (digest, name, base_digest, created_ms) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (digest) DO NOTHING",
        {digest, name, base_digest, impl_->now_ms()}));
  }
  return adapter(digest);
}

Result<AdapterInfo> Store::adapter(std::string_view digest) const {
  const std::lock_guard lock(impl_->mutex);
  std::optional<AdapterInfo> found;
  PLINTH_TRY(
      impl_->db.each("SELECT digest, name, base_digest, created_ms FROM adapters WHERE digest = ?",
                     {digest}, [&](const Row& row) { found = adapter_of(row); }));
  if (!found) return not_found("adapter {} is not known", digest);
  return *std::move(found);
}

Result<std::vector<AdapterInfo>> Store::adapters() const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<AdapterInfo> all;
  PLINTH_TRY(impl_->db.each(
      "SELECT digest, name, base_digest, created_ms FROM adapters ORDER BY created_ms, digest", {},
      [&](const Row& row) { all.push_back(adapter_of(row)); }));
  return all;
}

}  // namespace plinth::store
