// What a run is, in one JSON object: everything that its output depends on. A run that goes on, and
// machines that share one, compare it; the later stages and the manifest read it.
#pragma once

#include <span>
#include <string>

#include "core/json.h"
#include "corpus/corpus.h"
#include "corpus/read/walk.h"
#include "corpus/rules.h"

namespace plinth::corpus {

// files: all inputs of the run, in order. rules: of options.recipe and options.suites.
Result<Json> make_plan(const RefineOptions& options, std::span<const InputFile> files,
                       const Rules& rules, size_t units);

// The times of the files, as one digest: to notice a file that changed between two starts on one
// machine. Other machines' copies have other times.
std::string digest_of_times(std::span<const InputFile> files);

}  // namespace plinth::corpus
