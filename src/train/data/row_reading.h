// One pass over the files of a data set, whatever its rows are: lines become items of samples, and
// what is wrong with them is counted and named.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"
#include "core/result.h"
#include "train/data/dataset.h"

namespace plinth::train {

// What a row becomes.
struct Row {
  std::vector<Sample> samples;
  std::string text;  // what it says, for suites
};

struct RowFormat {
  // Samples that belong together: cut, kept and dropped as one.
  size_t per_item = 1;
  // A line of a file of rows. kFailedPrecondition: the chat template is at fault.
  std::function<Result<Row>(std::string_view line)> line;
  // A whole file of plain text; each of its samples is held out on its own.
  std::function<Result<Row>(std::string text)> text;
};

// Errors as of read_dataset().
Result<Dataset> read_rows(std::span<const Path> paths, const DatasetOptions& options,
                          const RowFormat& format);

}  // namespace plinth::train
