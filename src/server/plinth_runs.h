// /plinth/v1/runs: the training runs of tuning jobs, with what they were made of and every step.
#pragma once

#include "server/services.h"

namespace plinth::server {

void handle_list_runs(const Services& services, const Call& call);
void handle_run(const Services& services, const Call& call);

}  // namespace plinth::server
