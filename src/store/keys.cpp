// Tenants and their keys.
//
// A key is "plinth-" + 12 digits that find its row + "-" + 64 digits that open it. Those 256 random
// bits are what makes a plain salted SHA-256 enough: there is nothing to guess that a slow hash
// would protect.
#include <algorithm>

#include "core/hash.h"
#include "core/json.h"
#include "store/store_impl.h"

namespace plinth::store {
namespace {

constexpr std::string_view kScheme = "plinth-";
constexpr size_t kIdBytes = 6;
constexpr size_t kSecretBytes = 32;
constexpr size_t kPrefixSize = kScheme.size() + 2 * kIdBytes;
constexpr size_t kKeySize = kPrefixSize + 1 + 2 * kSecretBytes;

constexpr std::string_view kKeyColumns =
    "SELECT k.id, k.tenant, t.name, k.prefix, k.label, k.created_ms, k.revoked_ms, k.salt, k.hash, "
    "k.role, k.models, k.actions, k.expires_ms FROM keys k JOIN tenants t ON t.id = k.tenant ";

std::vector<std::string> list_of(const std::string& text) {
  std::vector<std::string> list;
  const auto json = parse_json(text, "list");
  if (!json || !json->is_array()) return list;
  for (const Json& item : *json)
    if (item.is_string()) list.push_back(item.get<std::string>());
  return list;
}

KeyInfo key_of(const Row& row) {
  return {.id = row.integer(0),
          .tenant_id = row.integer(1),
          .tenant = row.text(2),
          .prefix = row.text(3),
          .label = row.text(4),
          .created_ms = row.integer(5),
          .revoked_ms = row.integer(6),
          .scope = {.role = row.text(9),
                    .models = list_of(row.text(10)),
                    .actions = list_of(row.text(11)),
                    .expires_ms = row.integer(12)}};
}

bool is_valid(const KeyInfo& key, int64_t now_ms) {
  return key.revoked_ms == 0 && (key.scope.expires_ms == 0 || now_ms < key.scope.expires_ms);
}

Tenant tenant_of(const Row& row) {
  return {.id = row.integer(0), .name = row.text(1), .created_ms = row.integer(2)};
}

std::string hash_of(std::string_view salt, std::string_view secret) {
  return sha256_hex(std::string(salt) + std::string(secret));
}

// Takes the same time wherever the texts differ.
bool equal_in_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned different = 0;
  for (size_t i = 0; i < a.size(); ++i)
    different |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  return different == 0;
}

Result<Tenant> find_tenant(Database& db, std::string_view name) {
  std::optional<Tenant> found;
  PLINTH_TRY(db.each("SELECT id, name, created_ms FROM tenants WHERE name = ?", {name},
                     [&](const Row& row) { found = tenant_of(row); }));
  if (!found) return not_found("tenant {} is not known", name);
  return *std::move(found);
}

}  // namespace

Result<Tenant> Store::create_tenant(std::string_view name) {
  if (name.empty() || name.size() > 128)
    return invalid("tenant: a name has 1..128 bytes, this one {}", name.size());
  const std::lock_guard lock(impl_->mutex);
  auto added = impl_->db.run("INSERT INTO tenants (name, created_ms) VALUES (?, ?)",
                             {name, impl_->now_ms()});
  if (!added && added.error().code == Code::kAlreadyExists)
    return make_error(Code::kAlreadyExists, "tenant {} exists", name);
  PLINTH_TRY(std::move(added));
  return find_tenant(impl_->db, name);
}

Result<Tenant> Store::tenant(std::string_view name) const {
  const std::lock_guard lock(impl_->mutex);
  return find_tenant(impl_->db, name);
}

Result<std::vector<Tenant>> Store::tenants() const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<Tenant> all;
  PLINTH_TRY(impl_->db.each("SELECT id, name, created_ms FROM tenants ORDER BY name", {},
                            [&](const Row& row) { all.push_back(tenant_of(row)); }));
  return all;
}

Result<NewKey> Store::create_key(std::string_view tenant_name, std::string_view label,
                                 const KeyScope& scope) {
  NewKey key;
  key.info.prefix = std::string(kScheme) + random_hex(kIdBytes);
  key.secret = key.info.prefix + "-" + random_hex(kSecretBytes);
  const std::string salt = random_hex(16);

  const std::lock_guard lock(impl_->mutex);
  PLINTH_TRY(const Tenant owner, find_tenant(impl_->db, tenant_name));
  key.info.tenant_id = owner.id;
  key.info.tenant = owner.name;
  key.info.label = label;
  key.info.created_ms = impl_->now_ms();
  key.info.scope = scope;
  PLINTH_TRY(
      key.info.id,
      impl_->db.insert(
          "INSERT INTO keys (tenant, prefix, label, salt, hash, created_ms, role, models, actions, "
          "expires_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
          {owner.id, key.info.prefix, label, salt, hash_of(salt, key.secret), key.info.created_ms,
           scope.role, to_text(Json(scope.models)), to_text(Json(scope.actions)),
           scope.expires_ms}));
  return key;
}

Result<std::vector<KeyInfo>> Store::keys(std::string_view tenant_name) const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<KeyInfo> all;
  PLINTH_TRY(impl_->db.each(std::string(kKeyColumns) + "WHERE ?1 = '' OR t.name = ?1 ORDER BY k.id",
                            {tenant_name}, [&](const Row& row) { all.push_back(key_of(row)); }));
  return all;
}

Status Store::revoke_key(std::string_view prefix) {
  const std::lock_guard lock(impl_->mutex);
  PLINTH_TRY(
      impl_->db.run("UPDATE keys SET revoked_ms = CASE WHEN revoked_ms = 0 THEN ? ELSE revoked_ms "
                    "END WHERE prefix = ?",
                    {std::max<int64_t>(impl_->now_ms(), 1), prefix}));
  if (impl_->db.rows_changed() == 0) return not_found("key {} is not known", prefix);
  return {};
}

Result<KeyInfo> Store::check_key(std::string_view secret) const {
  const Error refused = make_error(Code::kUnauthenticated, "the key is not valid");
  if (secret.size() != kKeySize) return refused;
  const std::lock_guard lock(impl_->mutex);
  std::optional<KeyInfo> found;
  PLINTH_TRY(impl_->db.each(std::string(kKeyColumns) + "WHERE k.prefix = ?",
                            {secret.substr(0, kPrefixSize)}, [&](const Row& row) {
                              if (equal_in_constant_time(hash_of(row.text(7), secret), row.text(8)))
                                found = key_of(row);
                            }));
  if (!found || !is_valid(*found, impl_->now_ms())) return refused;
  return *std::move(found);
}

Result<KeyInfo> Store::valid_key(int64_t id) const {
  const std::lock_guard lock(impl_->mutex);
  std::optional<KeyInfo> found;
  PLINTH_TRY(impl_->db.each(std::string(kKeyColumns) + "WHERE k.id = ?", {id},
                            [&](const Row& row) { found = key_of(row); }));
  if (!found || !is_valid(*found, impl_->now_ms()))
    return make_error(Code::kUnauthenticated, "the key is not valid");
  return *std::move(found);
}

}  // namespace plinth::store
