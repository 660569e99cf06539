#include "server/own_jobs.h"

#include <algorithm>
#include <utility>

#include "server/access.h"
#include "server/replies.h"

namespace plinth::server {
namespace {

constexpr const char* kUnfinished = "validating_files,queued,running,paused";

int64_t whose(const Call& call) {
  return is_operator(call.key) ? 0 : call.key.tenant_id;
}

Json tell(const JobKind& kind, const store::Job& job, const std::vector<store::Tenant>& tenants) {
  const auto tenant = std::ranges::find(tenants, job.tenant_id, &store::Tenant::id);
  // Only tuning jobs have files to validate first; the others wait.
  const bool waits = job.state == "validating_files";
  return kind.tell(job, {{"object", kind.object},
                         {"id", job.id},
                         {"tenant", tenant == tenants.end() ? "" : tenant->name},
                         {"status", waits ? "queued" : job.state},
                         {"created", job.created_ms / 1000},
                         {"ended", time_or_null(job.ended_ms)},
                         {"error", text_or_null(job.error)}});
}

}  // namespace

Json object_of(const std::string& text) {
  auto json = parse_json(text, "row");
  return json && json->is_object() ? *std::move(json) : Json::object();
}

void reply_jobs(const Services& services, const Call& call, const JobKind& kind) {
  const auto tenants = services.store.tenants();
  if (!tenants) return refuse(call, {.error = tenants.error()});
  reply_list(call, services.jobs.jobs().jobs(whose(call), kind.kind),
             [&](const store::Job& job) { return tell(kind, job, *tenants); });
}

Result<store::Job> named_job(const Services& services, const Call& call, const JobKind& kind) {
  PLINTH_TRY(auto job, services.jobs.jobs().job(whose(call), call.argument));
  if (job.kind != kind.kind) return not_found("{} {} is not known", kind.object, call.argument);
  return job;
}

Result<Json> job_json(const Services& services, const JobKind& kind, const store::Job& job) {
  PLINTH_TRY(const auto tenants, services.store.tenants());
  return tell(kind, job, tenants);
}

void reply_job(const Services& services, const Call& call, const JobKind& kind) {
  answer(call, [&](std::string&) -> Result<Json> {
    PLINTH_TRY(const store::Job job, named_job(services, call, kind));
    return job_json(services, kind, job);
  });
}

Result<Json> start_job(const Services& services, const Call& call, const JobKind& kind,
                       const Json& spec) {
  PLINTH_TRY(const store::Job job, services.jobs.jobs().create({.tenant_id = call.key.tenant_id,
                                                                .key_id = call.key.id,
                                                                .kind = std::string(kind.kind),
                                                                .spec = to_text(spec)}));
  services.jobs.wake();
  return job_json(services, kind, job);
}

void reply_cancelled(const Services& services, const Call& call, const JobKind& kind) {
  answer(call, [&](std::string&) -> Result<Json> {
    PLINTH_TRY(const store::Job job, named_job(services, call, kind));
    PLINTH_TRY(const bool flipped, services.jobs.jobs().flip(job.id, kUnfinished, "cancelled"));
    if (!flipped)
      return invalid("{} {} is {} and cannot be cancelled", kind.object, job.id, job.state);
    services.jobs.wake();
    PLINTH_TRY(const store::Job now, named_job(services, call, kind));
    return job_json(services, kind, now);
  });
}

}  // namespace plinth::server
