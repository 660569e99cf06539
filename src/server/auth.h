// Who is asking: "Authorization: Bearer plinth-..." against the store's keys.
//
// Asked anew for every request: the look-up is one indexed read and one hash, and a revoked key
// must end at once, also when another process revoked it.
#pragma once

#include <string_view>

#include "core/result.h"
#include "store/store.h"

namespace plinth::server {

// kUnauthenticated without a valid key.
Result<store::KeyInfo> authenticate(const store::Store& store, std::string_view authorization);

}  // namespace plinth::server
