// GET /v1/models and GET /v1/models/{id}.
#pragma once

#include "server/services.h"

namespace plinth::server {

void handle_models(const Services& services, const Call& call);
void handle_model(const Services& services, const Call& call);

}  // namespace plinth::server
