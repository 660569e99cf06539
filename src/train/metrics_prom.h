// RUN/metrics.prom: where the run is, in Prometheus' text format, for node-exporter's textfile
// collector or anything else that reads files. Written whole or not at all, at most once a second.
#pragma once

#include <string>

#include "core/clock.h"
#include "core/file.h"
#include "core/result.h"
#include "train/train.h"

namespace plinth::train {

// The file's text. `left_s`: seconds until the last step; below 0: not known.
std::string prometheus_text(const std::string& run, const StepReport& report, int64_t divergences,
                            double left_s);

class MetricsProm {
 public:
  explicit MetricsProm(const Path& run_dir) : path_(run_dir / "metrics.prom") {}

  // `last`: written even if the one before has just been.
  Status update(const StepReport& report, int64_t divergences, bool last);

 private:
  Path path_;
  Stopwatch watch_;
  double written_at_ = -1e9;
  int64_t first_step_ = -1;  // of this call: what the speed is measured from
  double first_at_ = 0;
  double heldout_ = -1;
  double general_ = -1;
};

}  // namespace plinth::train
