// RUN/report.html: how a run went, in one file that opens anywhere: curves, recipe, what became of
// the rows, lineage. No script, nothing loaded.
#pragma once

#include "core/file.h"
#include "core/json.h"
#include "core/result.h"

namespace plinth::train {

// From RUN/metrics.jsonl and what the run says of itself: an object whose members become tables,
// texts or lists ("recipe", "data", "rows named", ...).
Status write_run_report(const Path& run_dir, const Json& about);

}  // namespace plinth::train
