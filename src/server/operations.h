// What operators and their tools ask: GET /healthz and GET /metrics.
#pragma once

#include <atomic>

#include "server/services.h"

namespace plinth::server {

// What the server knows of itself.
struct Condition {
  std::atomic<bool> draining = false;
  std::atomic<bool> writable = true;  // its database took what it last wrote; looked at by and by
};

// 200 while the server takes work; 503 when it drains or its database does not answer or takes
// nothing (a full disk: no answer could be billed). No key: load balancers have none, and it tells
// nothing else.
void handle_health(const Services& services, const Condition& condition, const Call& call);

// Prometheus text. From this machine no key is needed.
// Tells tenants' names: for this machine and operators.
void handle_metrics(const Services& services, const Call& call);

}  // namespace plinth::server
