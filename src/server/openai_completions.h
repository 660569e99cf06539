// POST /v1/completions: text goes on from a prompt, without a chat template.
#pragma once

#include "server/services.h"

namespace plinth::server {

void handle_completions(const Services& services, const Call& call);

}  // namespace plinth::server
