// POST /v1/chat/completions, whole and streamed.
//
// A call lives on its connection's strand: engine events are posted there, so nothing in it is
// locked. Its usage row is durable before the client sees the end of the answer; a client that
// hangs up cancels its sequence and is billed for what was computed.
#pragma once

#include "engine/engine.h"
#include "grammar/grammar.h"
#include "server/domain_models.h"
#include "server/ledger_writer.h"
#include "server/router.h"

namespace plinth::server {

// What handlers work with; all of it outlives every request.
struct Services {
  store::Store& store;
  engine::Engine& engine;
  DomainModels& models;
  LedgerWriter& ledger;
  grammar::SchemaCache& schemas;
};

void handle_chat(const Services& services, const Call& call);

}  // namespace plinth::server
