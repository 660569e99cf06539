// /v1/batches: many requests in a file, answered in the background by the batch runner.
#pragma once

#include "server/services.h"

namespace plinth::server {

void handle_create_batch(const Services& services, const Call& call);
void handle_list_batches(const Services& services, const Call& call);
void handle_batch(const Services& services, const Call& call);
void handle_cancel_batch(const Services& services, const Call& call);

}  // namespace plinth::server
