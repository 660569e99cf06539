// What tenants may use, what it costs, and what a month comes to.
#include <algorithm>
#include <map>

#include "store/store_impl.h"

namespace plinth::store {

Status Store::set_quota(std::string_view tenant_name, const Quota& quota) {
  for (const int64_t limit :
       {quota.requests_per_minute, quota.tokens_per_minute, quota.requests_per_month,
        quota.tokens_per_month, quota.concurrent, quota.storage_bytes})
    if (limit < 0) return invalid("quota of {}: {} is negative", tenant_name, limit);
  PLINTH_TRY(const Tenant owner, tenant(tenant_name));
  const std::lock_guard lock(impl_->mutex);
  return impl_->db.run(
      "INSERT INTO quotas (tenant, requests_per_minute, tokens_per_minute, "
      "requests_per_month, tokens_per_month, concurrent, storage_bytes) "
      "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant) DO UPDATE SET "
      "requests_per_minute = excluded.requests_per_minute, "
      "tokens_per_minute = excluded.tokens_per_minute, "
      "requests_per_month = excluded.requests_per_month, "
      "tokens_per_month = excluded.tokens_per_month, concurrent = excluded.concurrent, "
      "storage_bytes = excluded.storage_bytes",
      {owner.id, quota.requests_per_minute, quota.tokens_per_minute, quota.requests_per_month,
       quota.tokens_per_month, quota.concurrent, quota.storage_bytes});
}

Result<Quota> Store::quota(int64_t tenant_id) const {
  const std::lock_guard lock(impl_->mutex);
  Quota quota;
  PLINTH_TRY(impl_->db.each(
      "SELECT requests_per_minute, tokens_per_minute, requests_per_month, tokens_per_month, "
      "concurrent, storage_bytes FROM quotas WHERE tenant = ?",
      {tenant_id}, [&](const Row& row) {
        quota = {.requests_per_minute = row.integer(0),
                 .tokens_per_minute = row.integer(1),
                 .requests_per_month = row.integer(2),
                 .tokens_per_month = row.integer(3),
                 .concurrent = row.integer(4),
                 .storage_bytes = row.integer(5)};
      }));
  return quota;
}

Status Store::set_price(const Price& price) {
  if (price.model.empty()) return invalid("price: a model is needed, or * for all");
  for (const int64_t of : {price.prompt, price.cached, price.completion, price.trained})
    if (of < 0) return invalid("price of {}: {} is negative", price.model, of);
  const std::lock_guard lock(impl_->mutex);
  return impl_->db.run(
      "INSERT INTO prices (model, prompt, cached, completion, trained) VALUES (?, ?, ?, ?, ?) "
      "ON CONFLICT (model) DO UPDATE SET prompt = excluded.prompt, cached = excluded.cached, "
      "completion = excluded.completion, trained = excluded.trained",
      {price.model, price.prompt, price.cached, price.completion, price.trained});
}

Result<std::vector<Price>> Store::prices() const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<Price> all;
  PLINTH_TRY(
      impl_->db.each("SELECT model, prompt, cached, completion, trained FROM prices ORDER BY model",
                     {}, [&](const Row& row) {
                       all.push_back({.model = row.text(0),
                                      .prompt = row.integer(1),
                                      .cached = row.integer(2),
                                      .completion = row.integer(3),
                                      .trained = row.integer(4)});
                     }));
  return all;
}

Result<std::vector<StatementRow>> Store::statement(const UsageQuery& query) const {
  PLINTH_TRY(const auto totals, usage(query));
  PLINTH_TRY(const auto all, prices());
  std::vector<StatementRow> rows;
  for (const UsageTotal& total : totals) {
    auto price = std::ranges::find(all, total.model, &Price::model);
    if (price == all.end()) price = std::ranges::find(all, "*", &Price::model);
    StatementRow row{.total = total};
    if (price != all.end()) row.price = *price;
    // 128 bits: tokens times millionths overflow 64 where both are large.
    const auto cost =
        static_cast<__int128>(total.prompt_tokens - total.cached_tokens) * row.price.prompt +
        static_cast<__int128>(total.cached_tokens) * row.price.cached +
        static_cast<__int128>(total.completion_tokens) * row.price.completion +
        static_cast<__int128>(total.trained_tokens) * row.price.trained;
    row.cost = static_cast<int64_t>(cost / 1'000'000);
    rows.push_back(std::move(row));
  }
  return rows;
}

Result<std::pair<int64_t, int64_t>> Store::used_between(int64_t tenant_id, int64_t from_ms,
                                                        int64_t until_ms) const {
  const std::lock_guard lock(impl_->mutex);
  std::pair<int64_t, int64_t> used;
  PLINTH_TRY(impl_->db.each(
      "SELECT COUNT(*), COALESCE(SUM(prompt_tokens + completion_tokens), 0) FROM usage "
      "WHERE tenant = ? AND at_ms >= ? AND at_ms < ?",
      {tenant_id, from_ms, until_ms}, [&](const Row& row) {
        used = {row.integer(0), row.integer(1)};
      }));
  return used;
}

}  // namespace plinth::store
