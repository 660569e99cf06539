// What operators and their tools ask: GET /healthz and GET /metrics.
#pragma once

#include "server/services.h"

namespace plinth::server {

// 200 while the server takes work; 503 when it drains or its database does not answer. No key: load
// balancers have none, and it tells nothing else.
void handle_health(const Services& services, bool draining, const Call& call);

// Prometheus text. From this machine no key is needed.
void handle_metrics(const Services& services, const Call& call);

}  // namespace plinth::server
