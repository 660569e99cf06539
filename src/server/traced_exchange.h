// The way back to a client with a span on it.
#pragma once

#include "server/router.h"
#include "server/tracing.h"

namespace plinth::server {

// The call's exchange, which tells the tracer when the answer is complete or its client gone;
// `call.trace` is set, and the answer carries it as a `traceparent` header. The same exchange where
// nothing is traced: no tracer, or a client whose traceparent says that it doesn't record.
ExchangePtr traced(Tracer* tracer, const std::string& route, Call& call);

}  // namespace plinth::server
