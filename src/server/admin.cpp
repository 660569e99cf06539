#include "server/admin.h"

#include <algorithm>
#include <utility>

#include "core/clock.h"
#include "server/access.h"
#include "server/quotas.h"
#include "server/replies.h"
#include "server/request_fields.h"
#include "server/statement.h"
#include "server/url.h"

namespace plinth::server {
namespace {

constexpr double kLimitMax = 1e15;
constexpr double kPriceMax = 1e9;  // of the currency, for a million tokens
constexpr size_t kLabelMax = 256;

// The tenant that the call is about: its own, or, for operators, any. Others' are not found.
Result<store::Tenant> tenant_of(const Services& services, const Call& call,
                                const std::string& named) {
  const std::string name = named.empty() ? call.key.tenant : named;
  if (name != call.key.tenant && !is_operator(call.key))
    return not_found("tenant {} is not known", name);
  return services.store.tenant(name);
}

Json tenant_json(const store::Tenant& tenant) {
  return {{"object", "tenant"}, {"name", tenant.name}, {"created", tenant.created_ms / 1000}};
}

Json key_json(const store::KeyInfo& key) {
  return {{"object", "key"},
          {"prefix", key.prefix},
          {"tenant", key.tenant},
          {"label", key.label},
          {"role", key.scope.role},
          {"models", key.scope.models},
          {"actions", key.scope.actions},
          {"created", key.created_ms / 1000},
          {"expires", time_or_null(key.scope.expires_ms)},
          {"revoked", time_or_null(key.revoked_ms)}};
}

Json quota_json(const store::Quota& quota) {
  return {{"object", "quota"},
          {"requests_per_minute", quota.requests_per_minute},
          {"tokens_per_minute", quota.tokens_per_minute},
          {"requests_per_month", quota.requests_per_month},
          {"tokens_per_month", quota.tokens_per_month},
          {"concurrent", quota.concurrent},
          {"storage_bytes", quota.storage_bytes}};
}

double units(int64_t millionths) {
  return static_cast<double>(millionths) / 1e6;
}

Json price_json(const store::Price& price) {
  return {{"object", "price"},
          {"model", price.model},
          {"prompt", units(price.prompt)},
          {"cached", units(price.cached)},
          {"completion", units(price.completion)},
          {"trained", units(price.trained)}};
}

Result<std::vector<std::string>> texts(const Fields& fields, const std::string& name) {
  std::vector<std::string> list;
  const Json* value = fields.find(name);
  if (value == nullptr) return list;
  if (!value->is_array()) return invalid("{}: an array of texts is needed", name);
  for (const Json& item : *value) {
    if (!item.is_string()) return invalid("{}: an array of texts is needed", name);
    list.push_back(item.get<std::string>());
  }
  return list;
}

// Tenant and month from the query; without a month all of time.
Result<store::UsageQuery> usage_query(const Services& services, const Call& call,
                                      std::string& param) {
  const HttpRequest& request = call.exchange->request();
  store::UsageQuery query;
  param = "tenant";
  query.tenant = query_value(request.query, "tenant");
  if (!query.tenant.empty() || !is_operator(call.key)) {
    PLINTH_TRY(const store::Tenant tenant, tenant_of(services, call, query.tenant));
    query.tenant = tenant.name;
  }
  param = "month";
  if (const std::string text = query_value(request.query, "month"); !text.empty()) {
    const auto month = month_of(text);
    if (!month) return invalid("month: {} is no month, 2026-11 is one", text);
    query.from_ms = month->first;
    query.until_ms = month->second;
  }
  return query;
}

}  // namespace

void handle_list_tenants(const Services& services, const Call& call) {
  answer(call, [&](std::string&) -> Result<Json> {
    PLINTH_TRY(const auto tenants, services.store.tenants());
    Json data = Json::array();
    for (const store::Tenant& tenant : tenants) data.push_back(tenant_json(tenant));
    return list_json(std::move(data));
  });
}

void handle_create_tenant(const Services& services, const Call& call) {
  answer(call, [&](std::string& param) -> Result<Json> {
    PLINTH_TRY(const Json body, parse_object(call.exchange->request().body, param));
    const Fields fields(body, param);
    PLINTH_TRY(const std::string name, fields.text("name"));
    PLINTH_TRY(fields.nothing_else());
    PLINTH_TRY(const store::Tenant tenant, services.store.create_tenant(name));
    return tenant_json(tenant);
  });
}

void handle_list_keys(const Services& services, const Call& call) {
  answer(call, [&](std::string& param) -> Result<Json> {
    param = "tenant";
    const std::string named = query_value(call.exchange->request().query, "tenant");
    PLINTH_TRY(const store::Tenant tenant, tenant_of(services, call, named));
    PLINTH_TRY(const auto keys, services.store.keys(tenant.name));
    Json data = Json::array();
    for (const store::KeyInfo& key : keys) data.push_back(key_json(key));
    return list_json(std::move(data));
  });
}

void handle_create_key(const Services& services, const Call& call) {
  answer(call, [&](std::string& param) -> Result<Json> {
    PLINTH_TRY(const Json body, parse_object(call.exchange->request().body, param));
    const Fields fields(body, param);
    store::KeyScope scope;
    PLINTH_TRY(scope.models, texts(fields, "models"));
    PLINTH_TRY(scope.actions, texts(fields, "actions"));
    PLINTH_TRY(const int64_t expires_s, fields.integer("expires_in", 0, 0, kNumberMax));
    if (expires_s > 0) scope.expires_ms = system_clock().unix_ms() + expires_s * 1000;
    PLINTH_TRY(const std::string label, fields.text_or("label", ""));
    if (label.size() > kLabelMax)
      return invalid("label: {} bytes, the limit is {}", label.size(), kLabelMax);
    PLINTH_TRY(const std::string named, fields.text_or("tenant", ""));
    PLINTH_TRY(scope.role, fields.text_or("role", "developer"));
    PLINTH_TRY(fields.nothing_else());
    param = "role";
    PLINTH_TRY(check_scope(scope));
    if (scope.role == "operator")
      return invalid("role: keys of operators are made on the command line only");
    param = "tenant";
    PLINTH_TRY(const store::Tenant tenant, tenant_of(services, call, named));
    PLINTH_TRY(const auto key, services.store.create_key(tenant.name, label, scope));
    Json json = key_json(key.info);
    json["key"] = key.secret;  // shown once
    return json;
  });
}

void handle_revoke_key(const Services& services, const Call& call) {
  answer(call, [&](std::string&) -> Result<Json> {
    // An owner revokes its own tenant's keys only.
    PLINTH_TRY(const auto keys, services.store.keys(is_operator(call.key) ? "" : call.key.tenant));
    if (std::ranges::find(keys, call.argument, &store::KeyInfo::prefix) == keys.end())
      return not_found("key {} is not known", call.argument);
    PLINTH_TRY(services.store.revoke_key(call.argument));
    return Json{{"object", "key.revoked"}, {"prefix", call.argument}, {"revoked", true}};
  });
}

void handle_get_quota(const Services& services, const Call& call) {
  answer(call, [&](std::string&) -> Result<Json> {
    PLINTH_TRY(const store::Tenant tenant, tenant_of(services, call, call.argument));
    PLINTH_TRY(const store::Quota quota, services.store.quota(tenant.id));
    return quota_json(quota);
  });
}

void handle_set_quota(const Services& services, const Call& call) {
  answer(call, [&](std::string& param) -> Result<Json> {
    PLINTH_TRY(const Json body, parse_object(call.exchange->request().body, param));
    const Fields fields(body, param);
    PLINTH_TRY(const store::Tenant tenant, tenant_of(services, call, call.argument));
    PLINTH_TRY(store::Quota quota, services.store.quota(tenant.id));
    // What is not named stays.
    const auto limit = [&](const char* name, int64_t& value) -> Status {
      PLINTH_TRY(value, fields.integer(name, value, 0, kLimitMax));
      return {};
    };
    PLINTH_TRY(limit("requests_per_minute", quota.requests_per_minute));
    PLINTH_TRY(limit("tokens_per_minute", quota.tokens_per_minute));
    PLINTH_TRY(limit("requests_per_month", quota.requests_per_month));
    PLINTH_TRY(limit("tokens_per_month", quota.tokens_per_month));
    PLINTH_TRY(limit("concurrent", quota.concurrent));
    PLINTH_TRY(limit("storage_bytes", quota.storage_bytes));
    PLINTH_TRY(fields.nothing_else());
    PLINTH_TRY(services.store.set_quota(tenant.name, quota));
    return quota_json(quota);
  });
}

void handle_list_prices(const Services& services, const Call& call) {
  answer(call, [&](std::string&) -> Result<Json> {
    PLINTH_TRY(const auto prices, services.store.prices());
    Json data = Json::array();
    for (const store::Price& price : prices) data.push_back(price_json(price));
    return list_json(std::move(data));
  });
}

void handle_set_price(const Services& services, const Call& call) {
  answer(call, [&](std::string& param) -> Result<Json> {
    PLINTH_TRY(const Json body, parse_object(call.exchange->request().body, param));
    const Fields fields(body, param);
    store::Price price;
    PLINTH_TRY(price.model, fields.text("model"));
    const auto read = [&](const char* name, int64_t& value) -> Status {
      PLINTH_TRY(const double units, fields.number(name, 0, 0, kPriceMax));
      value = static_cast<int64_t>(units * 1e6 + 0.5);
      return {};
    };
    PLINTH_TRY(read("prompt", price.prompt));
    PLINTH_TRY(read("cached", price.cached));
    PLINTH_TRY(read("completion", price.completion));
    PLINTH_TRY(read("trained", price.trained));
    PLINTH_TRY(fields.nothing_else());
    PLINTH_TRY(services.store.set_price(price));
    return price_json(price);
  });
}

void handle_usage(const Services& services, const Call& call) {
  answer(call, [&](std::string& param) -> Result<Json> {
    PLINTH_TRY(const auto query, usage_query(services, call, param));
    PLINTH_TRY(const auto rows, services.store.statement(query));
    Json data = Json::array();
    for (const store::StatementRow& row : rows)
      data.push_back({{"object", "usage"},
                      {"tenant", row.total.tenant},
                      {"model", row.total.model},
                      {"requests", row.total.requests},
                      {"prompt_tokens", row.total.prompt_tokens},
                      {"cached_tokens", row.total.cached_tokens},
                      {"completion_tokens", row.total.completion_tokens},
                      {"trained_tokens", row.total.trained_tokens},
                      {"core_seconds", units(row.total.core_us)},
                      {"cost", units(row.cost)}});
    return list_json(std::move(data));
  });
}

void handle_statement(const Services& services, const Call& call) {
  std::string param;
  const auto query = usage_query(services, call, param);
  if (!query) return refuse(call, {.error = query.error(), .param = param});
  const auto rows = services.store.statement(*query);
  if (!rows) return refuse(call, {.error = rows.error()});
  const std::string month = query_value(call.exchange->request().query, "month");
  call.exchange->reply({.content_type = "text/csv; charset=utf-8",
                        .body = statement_csv(month.empty() ? "all" : month, *rows)});
}

void handle_engine(const Services& services, const Call& call) {
  const engine::EngineStats stats = services.engine.stats();
  reply(call, {{"object", "engine"},
               {"base", services.models.base_name()},
               {"digest", services.engine.model().digest()},
               {"waiting", stats.waiting},
               {"running", stats.running},
               {"kv_blocks", stats.kv_blocks},
               {"kv_blocks_free", stats.kv_blocks_free},
               {"memory_bytes", stats.memory_bytes},
               {"adapters",
                {{"registered", stats.adapters.registered},
                 {"resident", stats.adapters.resident},
                 {"resident_bytes", stats.adapters.resident_bytes},
                 {"budget_bytes", stats.adapters.budget_bytes}}}});
}

}  // namespace plinth::server
