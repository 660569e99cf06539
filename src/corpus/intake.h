// All inputs, read and judged: files and leaves of containers in parallel, handed on in order.
#pragma once

#include <functional>
#include <span>

#include "corpus/process.h"

namespace plinth::corpus {

// Called on the calling thread: for each file in order, and after a container for each of its
// leaves in order.
using OutcomeSink = std::function<Status(const InputFile& file, FileOutcome& outcome)>;

// Stops with sink's error or an interruption. In memory at one time: some 64 MiB of inputs, or one
// larger file, and what comes of them; containers are mapped, not read.
Status take_in(std::span<const InputFile> files, const RefineRecipe& recipe, const ExamIndex& exams,
               const RefineProgress& progress, const OutcomeSink& sink);

}  // namespace plinth::corpus
