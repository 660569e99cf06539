// The table of everything the server answers; tests walk it.
#pragma once

#include <atomic>
#include <vector>

#include "server/services.h"

namespace plinth::server {

// `draining` outlives the routes.
std::vector<Route> routes(const Services& services, const std::atomic<bool>& draining);

}  // namespace plinth::server
