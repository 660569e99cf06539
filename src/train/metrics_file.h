// RUN/metrics.jsonl: a line per step, appended. Resuming cuts off what lies behind the checkpoint,
// so that each step appears once.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

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
  double last_loss() const { return kept_.empty() ? 0 : kept_.back().loss; }

  // The last lines kept by open(), oldest first, kLinesKept at most: step, loss, gradient norm.
  const std::vector<StepReport>& kept() const { return kept_; }

  static constexpr size_t kLinesKept = 20;

 private:
  MetricsFile(OutputFile file, std::vector<StepReport> kept)
      : file_(std::move(file)), kept_(std::move(kept)) {}

  OutputFile file_;
  std::vector<StepReport> kept_;
};

// The largest resident size this process has had.
int64_t peak_resident_bytes();

}  // namespace plinth::train
