// /plinth/v1: tenants, keys, quotas, prices, usage, statements, the engine's state.
//
// An operator sees and sets everything; an owner has the keys of its own tenant; usage and
// statements are the caller's own tenant's, or, for operators, anybody's. What belongs to others is
// not found.
#pragma once

#include "server/services.h"

namespace plinth::server {

void handle_list_tenants(const Services& services, const Call& call);
void handle_create_tenant(const Services& services, const Call& call);

void handle_list_keys(const Services& services, const Call& call);
void handle_create_key(const Services& services, const Call& call);
void handle_revoke_key(const Services& services, const Call& call);

void handle_get_quota(const Services& services, const Call& call);
void handle_set_quota(const Services& services, const Call& call);

void handle_list_prices(const Services& services, const Call& call);
void handle_set_price(const Services& services, const Call& call);

void handle_usage(const Services& services, const Call& call);
// CSV: month, tenant, model, requests, tokens, price and cost.
void handle_statement(const Services& services, const Call& call);

void handle_engine(const Services& services, const Call& call);

}  // namespace plinth::server
