// POST /v1/responses: a chat in the form that OpenAI's newer clients speak.
#pragma once

#include "server/services.h"

namespace plinth::server {

void handle_responses(const Services& services, const Call& call);

}  // namespace plinth::server
