// POST /v1/chat/completions, whole and streamed.
#pragma once

#include "server/services.h"

namespace plinth::server {

void handle_chat(const Services& services, const Call& call);

}  // namespace plinth::server
