// RUN/metrics.jsonl: a line per step, appended. Resuming cuts off what lies behind the checkpoint,
// so that each step appears once.
#pragma once

#include <cstdint>
#include <utility>

#include "core/file.h"
#include "core/result.h"
#include "train/train.h"

namespace plinth::train {

class MetricsFile {
 public:
  // Keeps the lines of steps 1..step of an existing file.
  static Result<MetricsFile> open(const Path& run_dir, int64_t step);

  Status append(const StepReport& report);

  // Of the last line kept by open(), or 0.
  double last_loss() const { return last_loss_; }

 private:
  MetricsFile(OutputFile file, double last_loss) : file_(std::move(file)), last_loss_(last_loss) {}

  OutputFile file_;
  double last_loss_ = 0;
};

// The largest resident size this process has had.
int64_t peak_resident_bytes();

}  // namespace plinth::train
