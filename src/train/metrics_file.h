// RUN/metrics.jsonl: a line per step, appended. Resuming cuts off what lies behind the checkpoint,
// so that each step appears once.
#pragma once

#include <cstdint>

#include "core/file.h"
#include "core/result.h"
#include "train/train.h"

namespace plinth::train {

class MetricsFile {
 public:
  // Keeps the lines of steps 1..step of an existing file.
  static Result<MetricsFile> open(const Path& run_dir, int64_t step);

  Status append(const StepReport& report);

 private:
  explicit MetricsFile(OutputFile file) : file_(std::move(file)) {}

  OutputFile file_;
};

// The largest resident size this process has had.
int64_t peak_resident_bytes();

}  // namespace plinth::train
