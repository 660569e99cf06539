// The way back to a client with the audit log on it.
#pragma once

#include "server/router.h"
#include "store/audit.h"

namespace plinth::server {

// The call's exchange; where the route, or what becomes of the call, belongs into the log, one that
// writes its entry before it replies. An entry that cannot be written turns the reply into an
// error: nothing is done in secret.
ExchangePtr audited(const Route& route, const Call& call, store::AuditLog& audit);

}  // namespace plinth::server
