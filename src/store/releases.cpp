#include "core/hash.h"
#include "core/json.h"
#include "store/store_impl.h"

namespace plinth::store {
namespace {

struct Live {
  int64_t flip = 0;
  int64_t before = 0;  // 0: none
  std::string release_digest;
};

Result<std::optional<Live>> live_of(Database& db, std::string_view name) {
  std::optional<Live> live;
  PLINTH_TRY(
      db.each("SELECT f.id, COALESCE(f.before, 0), f.release_digest FROM aliases a "
              "JOIN flips f ON f.id = a.flip WHERE a.name = ?",
              {name}, [&](const Row& row) {
                live = Live{row.integer(0), row.integer(1), row.text(2)};
              }));
  return live;
}

struct NewFlip {
  std::string_view name;
  std::string_view release_digest;
  int64_t before = 0;  // 0: none
  std::string_view kind;
  int64_t at_ms = 0;
};

Status flip(Database& db, const NewFlip& change) {
  PLINTH_TRY(
      const int64_t id,
      db.insert("INSERT INTO flips (name, release_digest, before, kind, at_ms) "
                "VALUES (?, ?, NULLIF(?, 0), ?, ?)",
                {change.name, change.release_digest, change.before, change.kind, change.at_ms}));
  return db.run(
      "INSERT INTO aliases (name, flip) VALUES (?, ?) "
      "ON CONFLICT (name) DO UPDATE SET flip = excluded.flip",
      {change.name, id});
}

Result<Release> parse_release(const std::string& document, const std::string& digest,
                              int64_t created_ms) {
  if (sha256_hex(document) != digest)
    return data_loss("release {}: its document hashes to {}", digest, sha256_hex(document));
  PLINTH_TRY(const Json json, parse_json(document, "release " + digest));
  Release release;
  release.name = string_or(json, "name", "");
  release.base_digest = string_or(json, "base", "");
  release.adapter_digest = string_or(json, "adapter", "");
  release.chat_template = string_or(json, "chat_template", "");
  release.system_prompt = string_or(json, "system_prompt", "");
  release.knowledge_digest = string_or(json, "knowledge", "");
  release.knowledge_in_prompt = bool_or(json, "knowledge_in_prompt", false);
  release.verdict = json.contains("verdict") ? to_text(json["verdict"]) : "{}";
  release.digest = digest;
  release.created_ms = created_ms;
  return release;
}

Result<Release> read_release(Database& db, std::string_view digest) {
  Result<Release> found = not_found("release {} is not known", digest);
  PLINTH_TRY(db.each(
      "SELECT document, digest, created_ms FROM releases WHERE digest = ?", {digest},
      [&](const Row& row) { found = parse_release(row.text(0), row.text(1), row.integer(2)); }));
  return found;
}

}  // namespace

std::string canonical_release(const Release& release) {
  // The verdict is JSON inside the JSON, so that its spelling does not matter. What cannot be
  // parsed is refused by publish().
  const auto verdict = parse_json(release.verdict, "verdict");
  return to_text(Json{{"name", release.name},
                      {"base", release.base_digest},
                      {"adapter", release.adapter_digest},
                      {"chat_template", release.chat_template},
                      {"system_prompt", release.system_prompt},
                      {"knowledge", release.knowledge_digest},
                      {"knowledge_in_prompt", release.knowledge_in_prompt},
                      {"verdict", verdict ? *verdict : Json()}});
}

Result<Release> Store::publish(const Release& release) {
  if (release.name.empty() || release.name.size() > 128)
    return invalid("release: a name has 1..128 bytes, this one {}", release.name.size());
  PLINTH_TRY(const Json verdict,
             parse_json(release.verdict, "release " + release.name + " verdict"));
  const std::string document = canonical_release(release);
  const std::string digest = sha256_hex(document);

  const std::lock_guard lock(impl_->mutex);
  Database& db = impl_->db;
  const int64_t now = impl_->now_ms();
  const Status changed = db.transaction([&]() -> Status {
    if (!release.adapter_digest.empty()) {
      bool known = false;
      PLINTH_TRY(db.each("SELECT 1 FROM adapters WHERE digest = ?", {release.adapter_digest},
                         [&](const Row&) { known = true; }));
      if (!known)
        return not_found("release {}: adapter {} is not known", release.name,
                         release.adapter_digest);
    }
    PLINTH_TRY(
        db.run("INSERT INTO releases (digest, name, document, created_ms) VALUES (?, ?, ?, ?) "
               "ON CONFLICT (digest) DO NOTHING",
               {digest, release.name, document, now}));
    PLINTH_TRY(const auto live, live_of(db, release.name));
    if (live && live->release_digest == digest) return {};
    return flip(db, {.name = release.name,
                     .release_digest = digest,
                     .before = live ? live->flip : 0,
                     .kind = "publish",
                     .at_ms = now});
  });
  if (!changed) return changed.error();
  return read_release(db, digest);
}

Result<Release> Store::rollback(std::string_view name) {
  const std::lock_guard lock(impl_->mutex);
  Database& db = impl_->db;
  std::string digest;
  const Status changed = db.transaction([&]() -> Status {
    PLINTH_TRY(const auto live, live_of(db, name));
    if (!live) return not_found("release {} is not known", name);
    if (live->before == 0)
      return make_error(Code::kFailedPrecondition, "release {}: nothing was live before {}", name,
                        live->release_digest);
    int64_t before = 0;
    PLINTH_TRY(db.each("SELECT release_digest, COALESCE(before, 0) FROM flips WHERE id = ?",
                       {live->before}, [&](const Row& row) {
                         digest = row.text(0);
                         before = row.integer(1);
                       }));
    return flip(db, {.name = name,
                     .release_digest = digest,
                     .before = before,
                     .kind = "rollback",
                     .at_ms = impl_->now_ms()});
  });
  if (!changed) return changed.error();
  return read_release(db, digest);
}

Result<Release> Store::release(std::string_view digest) const {
  const std::lock_guard lock(impl_->mutex);
  return read_release(impl_->db, digest);
}

Result<std::vector<Release>> Store::releases(std::string_view name) const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<Release> all;
  Status parsed;
  PLINTH_TRY(impl_->db.each(
      "SELECT document, digest, created_ms FROM releases WHERE ?1 = '' OR name = ?1 "
      "ORDER BY created_ms DESC, (SELECT MIN(id) FROM flips WHERE release_digest = digest) DESC",
      {name}, [&](const Row& row) {
        auto release = parse_release(row.text(0), row.text(1), row.integer(2));
        if (release)
          all.push_back(*std::move(release));
        else
          parsed = std::move(release).error();
      }));
  PLINTH_TRY(parsed);
  return all;
}

Result<Alias> Store::alias(std::string_view name) const {
  const std::lock_guard lock(impl_->mutex);
  std::optional<Alias> found;
  PLINTH_TRY(impl_->db.each(
      "SELECT a.name, f.release_digest, f.at_ms FROM aliases a JOIN flips f ON f.id = a.flip "
      "WHERE a.name = ?",
      {name}, [&](const Row& row) {
        found = Alias{row.text(0), row.text(1), row.integer(2)};
      }));
  if (!found) return not_found("release {} is not known", name);
  return *std::move(found);
}

Result<std::vector<Alias>> Store::aliases() const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<Alias> all;
  PLINTH_TRY(impl_->db.each(
      "SELECT a.name, f.release_digest, f.at_ms FROM aliases a JOIN flips f ON f.id = a.flip "
      "ORDER BY a.name",
      {}, [&](const Row& row) {
        all.push_back({row.text(0), row.text(1), row.integer(2)});
      }));
  return all;
}

Result<std::vector<Flip>> Store::history(std::string_view name) const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<Flip> all;
  PLINTH_TRY(impl_->db.each(
      "SELECT id, name, release_digest, kind, at_ms FROM flips WHERE name = ? ORDER BY id", {name},
      [&](const Row& row) {
        all.push_back({.id = row.integer(0),
                       .name = row.text(1),
                       .release_digest = row.text(2),
                       .kind = row.text(3),
                       .at_ms = row.integer(4)});
      }));
  return all;
}

}  // namespace plinth::store
