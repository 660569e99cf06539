// What a training run will hold in memory, known before its first step, and how much of the tape it
// computes again to stay within a budget.
#pragma once

#include <cstdint>
#include <string>

#include "core/result.h"
#include "model/model.h"

namespace plinth::train {

struct MemoryPlan {
  int64_t base = 0;     // the base's weights, as stored
  int64_t learner = 0;  // what learns: values, gradients, moments, the best so far
  int64_t tape = 0;     // activations and logits of the largest micro-batch
  int64_t rest = 0;     // the process as it is, and what products pack
  int64_t recomputed_layers = 0;

  int64_t total() const { return base + learner + tape + rest; }

  // "1.52 GB: base 0.53 GB, ...": one line for people.
  std::string text() const;
};

struct MemoryNeeds {
  int64_t process = 0;        // process_bytes() before any of the rest was there
  int64_t rows = 0;           // of the largest micro-batch that is learnt
  int64_t loss_rows = -1;     // rows with a target in one at most; -1: all
  int64_t measured_rows = 0;  // of the largest that is only measured
  int64_t learner = 0;        // bytes of what learns
  bool owns_base = false;     // the base's own weights are not touched: all of it learns
  int64_t budget = 0;         // bytes; 0: as much as it takes
};

// Resident memory that belongs to no mapped file: the tokenizer, the data, the program's own.
int64_t process_bytes();

// Keeps the activations of as many layers as the budget allows. kResourceExhausted names the budget
// and what would be enough.
Result<MemoryPlan> plan_memory(const model::Model& base, const MemoryNeeds& needs);

}  // namespace plinth::train
