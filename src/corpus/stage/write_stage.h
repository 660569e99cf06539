// The last stage: shards, reports and manifest, from pieces and fates.
#pragma once

#include <span>

#include "core/json.h"
#include "corpus/report/ledger.h"
#include "corpus/stage/duplicates.h"

namespace plinth::corpus {

// Writes a whole corpus into `folder`, which is empty. seconds: what the run took so far.
Result<RefineReport> write_corpus(const Json& plan, std::span<const Path> pieces,
                                  const Documents& documents, const Path& folder, double seconds,
                                  const RefineProgress& progress = {});

}  // namespace plinth::corpus
