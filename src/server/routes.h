// The table of everything the server answers; tests walk it.
#pragma once

#include <vector>

#include "server/operations.h"

namespace plinth::server {

// `condition` outlives the routes.
std::vector<Route> routes(const Services& services, const Condition& condition);

}  // namespace plinth::server
