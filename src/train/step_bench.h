// A training step of random tokens, timed: what `plinth bench tune` prints. It runs the same tape,
// adapter and optimiser as tune() and pretrain(), without reading data or writing files.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/result.h"
#include "model/model.h"
#include "train/memory_plan.h"

namespace plinth::train {

struct StepBenchOptions {
  int64_t sequences = 1;  // of a step; of pairs, twice as many
  int64_t tokens = 512;   // of each sequence, all of them with loss
  int64_t rank = 16;      // of an adapter on all linear layers
  bool full = false;      // all weights of a base of this shape learn instead, from random values
  bool dpo = false;       // sequences are pairs, one preferred over the other
  int64_t adapters = 1;   // trained at once, each on sequences of its own
  int64_t memory = 0;     // budget in bytes, memory_plan.h
  int64_t repeats = 5;    // steps after the warm-up
};

struct StepBench {
  std::vector<double> seconds;  // of each step
  double flop = 0;              // two per multiply-add that a step needs at least, nothing repeated
  int64_t tokens = 0;           // of a step
  MemoryPlan plan;
  int64_t peak_bytes = 0;  // largest resident size of the process, the base included
  double loss = 0;         // of the last step: random weights and tokens give ln(vocabulary)
};

// Uses the calling thread and compute_pool().
Result<StepBench> bench_step(const std::shared_ptr<const model::Model>& base,
                             const StepBenchOptions& options);

}  // namespace plinth::train
