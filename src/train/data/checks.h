// What may be wrong with training rows beyond their shape: truncation, nothing left to learn,
// repetition, rows that are both trained on and measured. Counted and named, and beyond the
// recipe's limits the end of the run before its first step.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "train/data/dataset.h"

namespace plinth::train {

// Names a row, unless five of its kind ("cut", "repeated", ...) are named already.
void note(DatasetReport& report, std::string_view kind, std::string place, std::string reason);

// Takes the samples out of `heldout` whose tokens are trained on as well.
void remove_leaks(std::span<const Sample> training, std::span<const Path> files,
                  std::vector<Sample>& heldout, DatasetReport& report);

// kInvalidArgument says which share is beyond which limit, names the rows, and the key to change.
Status check_limits(const DatasetReport& report, const DataLimits& limits);

}  // namespace plinth::train
