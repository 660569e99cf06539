// What handlers work with; all of it outlives every request.
#pragma once

#include <string>

#include "engine/engine.h"
#include "grammar/grammar.h"
#include "server/batch_runner.h"
#include "server/domain_models.h"
#include "server/errors.h"
#include "server/job_runner.h"
#include "server/ledger_writer.h"
#include "server/router.h"
#include "server/settings.h"
#include "store/audit.h"

namespace plinth::server {

struct Services {
  store::Store& store;
  engine::Engine& engine;
  DomainModels& models;
  LedgerWriter& ledger;
  grammar::SchemaCache& schemas;
  BatchRunner& batches;
  JobRunner& jobs;
  store::AuditLog& audit;
  const Settings& settings;
  Tracer* tracer = nullptr;    // null: nothing is traced
  int keep_alive_ms = 10'000;  // a stream that has said nothing for so long gets a comment
};

// Answers the call with an error.
void refuse(const Call& call, const ApiError& error);

// What the name means right now, for a key that may use it: others' is as unknown as none; null
// after the call was refused.
DomainModelPtr find_model(const Services& services, const Call& call, const std::string& name);

// Of names that belong to one tenant (tune_spec.h): the key is that tenant's, or an operator's.
bool may_see_model(const Services& services, const store::KeyInfo& key, const std::string& name);

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
