#include "store/store_impl.h"

namespace plinth::store {

Result<Run> Store::start_run(std::string_view kind, std::string_view detail) {
  const std::lock_guard lock(impl_->mutex);
  const int64_t now = impl_->now_ms();
  PLINTH_TRY(const int64_t id,
             impl_->db.insert(
                 "INSERT INTO runs (kind, state, detail, created_ms, heartbeat_ms) VALUES (?, "
                 "'running', ?, ?, ?)",
                 {kind, detail, now, now}));
  return Run{.id = id,
             .kind = std::string(kind),
             .state = "running",
             .detail = std::string(detail),
             .created_ms = now,
             .heartbeat_ms = now};
}

Status Store::update_run(int64_t id, std::string_view state, std::string_view detail) {
  const std::lock_guard lock(impl_->mutex);
  PLINTH_TRY(impl_->db.run("UPDATE runs SET state = ?, detail = ?, heartbeat_ms = ? WHERE id = ?",
                           {state, detail, impl_->now_ms(), id}));
  if (impl_->db.rows_changed() == 0) return not_found("run {} is not known", id);
  return {};
}

Result<std::vector<Run>> Store::runs() const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<Run> all;
  PLINTH_TRY(impl_->db.each(
      "SELECT id, kind, state, detail, created_ms, heartbeat_ms FROM runs ORDER BY id DESC", {},
      [&](const Row& row) {
        all.push_back({.id = row.integer(0),
                       .kind = row.text(1),
                       .state = row.text(2),
                       .detail = row.text(3),
                       .created_ms = row.integer(4),
                       .heartbeat_ms = row.integer(5)});
      }));
  return all;
}

}  // namespace plinth::store
