#include "store/store_impl.h"

namespace plinth::store {

Status Store::add_usage(const std::vector<UsageRow>& rows) {
  if (rows.empty()) return {};
  const std::lock_guard lock(impl_->mutex);
  Database& db = impl_->db;
  return db.transaction([&]() -> Status {
    for (const UsageRow& row : rows) {
      auto added = db.run(
          "INSERT INTO usage (request_id, tenant, key, model, model_digest, prompt_tokens, "
          "completion_tokens, cached_tokens, outcome, at_ms, trained_tokens, core_us) "
          "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
          "ON CONFLICT (request_id) DO NOTHING",
          {row.request_id, row.tenant_id, row.key_id, row.model, row.model_digest,
           row.prompt_tokens, row.completion_tokens, row.cached_tokens, row.outcome,
           row.at_ms != 0 ? row.at_ms : impl_->now_ms(), row.trained_tokens, row.core_us});
      if (!added)
        return Error{added.error().code,
                     fmt::format("usage of {}: {}", row.request_id, added.error().message)};
    }
    return {};
  });
}

Result<std::vector<UsageTotal>> Store::usage(const UsageQuery& query) const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<UsageTotal> totals;
  PLINTH_TRY(impl_->db.each(
      "SELECT t.name, u.model, COUNT(*), SUM(u.prompt_tokens), SUM(u.completion_tokens), "
      "SUM(u.cached_tokens), SUM(u.trained_tokens), SUM(u.core_us) FROM usage u JOIN tenants t ON "
      "t.id = u.tenant "
      "WHERE (?1 = '' OR t.name = ?1) AND u.at_ms >= ?2 AND u.at_ms < ?3 "
      "GROUP BY t.name, u.model ORDER BY t.name, u.model",
      {query.tenant, query.from_ms, query.until_ms}, [&](const Row& row) {
        totals.push_back({.tenant = row.text(0),
                          .model = row.text(1),
                          .requests = row.integer(2),
                          .prompt_tokens = row.integer(3),
                          .completion_tokens = row.integer(4),
                          .cached_tokens = row.integer(5),
                          .trained_tokens = row.integer(6),
                          .core_us = row.integer(7)});
      }));
  return totals;
}

}  // namespace plinth::store
