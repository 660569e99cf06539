#include "server/admin_state.h"

#include <algorithm>
#include <charconv>

#include "core/json.h"
#include "server/audit_json.h"
#include "server/replies.h"
#include "server/url.h"

namespace plinth::server {
namespace {

constexpr int64_t kEntries = 100;
constexpr int64_t kEntriesMax = 10'000;

Json release_json(const store::Release& release, bool live) {
  const auto verdict = parse_json(release.verdict, "verdict");
  return {{"object", "release"},
          {"name", release.name},
          {"digest", release.digest},
          {"base", release.base_digest},
          {"adapter", release.adapter_digest},
          {"knowledge", release.knowledge_digest},
          {"live", live},
          {"created", release.created_ms / 1000},
          {"verdict", verdict ? *verdict : Json()}};
}

}  // namespace

void handle_list_releases(const Services& services, const Call& call) {
  const auto aliases = services.store.aliases();
  if (!aliases) return refuse(call, {.error = aliases.error()});
  reply_list(call, services.store.releases(), [&](const store::Release& release) {
    return release_json(
        release, std::ranges::find(*aliases, release.digest, &store::Alias::release_digest) !=
                     aliases->end());
  });
}

void handle_rollback(const Services& services, const Call& call) {
  const auto release = services.store.rollback(call.argument);
  if (!release) return refuse(call, {.error = release.error()});
  call.exchange->reply({.body = to_text(release_json(*release, true))});
}

void handle_list_adapters(const Services& services, const Call& call) {
  reply_list(call, services.store.adapters(), [](const store::AdapterInfo& adapter) {
    return Json{{"object", "adapter"},
                {"digest", adapter.digest},
                {"name", adapter.name},
                {"base", adapter.base_digest},
                {"created", adapter.created_ms / 1000}};
  });
}

void handle_list_all_jobs(const Services& services, const Call& call) {
  const auto tenants = services.store.tenants();
  if (!tenants) return refuse(call, {.error = tenants.error()});
  reply_list(call, services.jobs.jobs().jobs(0), [&](const store::Job& job) {
    const auto tenant = std::ranges::find(*tenants, job.tenant_id, &store::Tenant::id);
    return Json{{"object", "job"},
                {"id", job.id},
                {"kind", job.kind},
                {"tenant", tenant == tenants->end() ? "" : tenant->name},
                {"status", job.state},
                {"model", job.model},
                {"error", job.error},
                {"created", job.created_ms / 1000},
                {"heartbeat", job.heartbeat_ms / 1000}};
  });
}

void handle_audit(const Services& services, const Call& call) {
  const std::string text = query_value(call.exchange->request().query, "limit");
  int64_t limit = kEntries;
  std::from_chars(text.data(), text.data() + text.size(), limit);
  const auto entries = services.audit.entries(std::clamp<int64_t>(limit, 1, kEntriesMax));
  if (!entries) return refuse(call, {.error = entries.error()});
  const auto check = services.audit.verify();
  if (!check) return refuse(call, {.error = check.error()});
  Json data = Json::array();
  for (const store::AuditEntry& entry : *entries) data.push_back(audit_json(entry));
  call.exchange->reply({.body = to_text({{"object", "list"},
                                         {"data", std::move(data)},
                                         {"entries", check->entries},
                                         {"last_hash", check->last_hash},
                                         {"whole", check->broken_at == 0},
                                         {"broken_at", check->broken_at}})});
}

}  // namespace plinth::server
