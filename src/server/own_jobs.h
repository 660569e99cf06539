// Jobs as Plinth's own routes see them: a tenant has its own, an operator everybody's, and what is
// of another kind is as unknown as what is not there.
#pragma once

#include <string>
#include <string_view>

#include "core/json.h"
#include "server/jobs/job_work.h"
#include "server/services.h"

namespace plinth::server {

// A job's spec or result.
Json object_of(const std::string& text);

// One job as a route tells it. `head` has what all jobs share: object, id, tenant, status, created,
// ended, error.
using TellJob = Json (*)(const store::Job& job, Json head);

// How one kind of jobs is told.
struct JobKind {
  std::string_view kind;  // of store::Job
  const char* object;     // "corpus"
  TellJob tell;
};

void reply_jobs(const Services& services, const Call& call, const JobKind& kind);

// The job that the call's path names.
Result<store::Job> named_job(const Services& services, const Call& call, const JobKind& kind);
Result<Json> job_json(const Services& services, const JobKind& kind, const store::Job& job);
void reply_job(const Services& services, const Call& call, const JobKind& kind);

// Starts one for the call's tenant and key, and tells it.
Result<Json> start_job(const Services& services, const Call& call, const JobKind& kind,
                       const Json& spec);

// What has ended already is kInvalidArgument.
void reply_cancelled(const Services& services, const Call& call, const JobKind& kind);

}  // namespace plinth::server
