// /plinth/v1/suites and /plinth/v1/proofs: what a domain model is examined on, and how it fared
// against its base. A suite is an upload of purpose "suite".
#pragma once

#include "server/services.h"

namespace plinth::server {

void handle_list_suites(const Services& services, const Call& call);
// With its kind and its number of items.
void handle_suite(const Services& services, const Call& call);

void handle_create_proof(const Services& services, const Call& call);
void handle_list_proofs(const Services& services, const Call& call);
void handle_proof(const Services& services, const Call& call);
void handle_cancel_proof(const Services& services, const Call& call);

}  // namespace plinth::server
