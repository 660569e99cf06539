// /plinth/v1 for operators: what there is, and what was done. Releases, adapters, jobs of all
// tenants, the audit log.
#pragma once

#include "server/services.h"

namespace plinth::server {

void handle_list_releases(const Services& services, const Call& call);
// The path names the domain model.
void handle_rollback(const Services& services, const Call& call);
void handle_list_adapters(const Services& services, const Call& call);
void handle_list_all_jobs(const Services& services, const Call& call);
void handle_audit(const Services& services, const Call& call);

}  // namespace plinth::server
