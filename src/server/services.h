// What handlers work with; all of it outlives every request.
#pragma once

#include <string>

#include "engine/engine.h"
#include "grammar/grammar.h"
#include "server/domain_models.h"
#include "server/errors.h"
#include "server/ledger_writer.h"
#include "server/router.h"

namespace plinth::server {

struct Services {
  store::Store& store;
  engine::Engine& engine;
  DomainModels& models;
  LedgerWriter& ledger;
  grammar::SchemaCache& schemas;
};

// Answers the call with an error.
void refuse(const Call& call, const ApiError& error);

// What the name means right now; null after the call was refused.
DomainModelPtr find_model(const Services& services, const Call& call, const std::string& name);

// Writes what the call used to the ledger, and to the metrics. `done` runs on the call's strand
// when the row is durable, or with why it is not.
struct Bill {
  std::string model = {};  // as the client called it
  std::string digest = {};
  engine::Usage usage = {};
  std::string outcome = {};
};

void bill(const Services& services, const Call& call, const Bill& bill, LedgerWriter::Done done);

}  // namespace plinth::server
