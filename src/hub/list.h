// The requests that turn a reference into a listing of one commit's files.
#pragma once

#include <string>

#include "core/result.h"
#include "hub/client.h"
#include "hub/listing.h"

namespace plinth::hub {

Result<Listing> list(Client& client, const Access& access, const Reference& reference);

// Where a file of that listing is.
std::string file_url(const Access& access, const Reference& reference, const Listing& listing,
                     const std::string& path);

}  // namespace plinth::hub
