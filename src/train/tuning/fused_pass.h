// Micro-batches of several learners through one base, as many at a time as fit.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "train/learner.h"
#include "train/math/dpo.h"
#include "train/math/tape.h"

namespace plinth::train {

struct Part {
  int64_t member = 0;  // whose: an index into the learners
  int64_t term = 0;    // which of that member's micro-batches in this step
  const MicroBatch* batch = nullptr;
  std::optional<PreferenceOptions> preference = {};  // pairs (math/dpo.h)
};

struct PartLoss {
  double loss = 0;                   // sum of weight * loss over its rows, or over its pairs
  int64_t pairs = 0, preferred = 0;  // with a preference
};

class FusedPass {
 public:
  // The learners share `model` and outlive the pass. At most rows_max rows are computed at once,
  // unless one micro-batch alone has more.
  FusedPass(const model::Model& model, std::vector<Learner*> learners, int64_t rows_max,
            int64_t recomputed_layers);

  // Adds each part's gradient to its learner's gradients and then calls done(number of the part,
  // its loss); the next part of that learner comes after that. Returns false, with parts left out,
  // when `stop` (asked before each pass through the base) says so.
  bool gradients(std::span<const Part> parts, const std::function<void(size_t, PartLoss)>& done,
                 const std::function<bool()>& stop);

  // The same without gradients and noise, alone.
  PartLoss loss(const Part& part);

 private:
  std::vector<PartLoss> forward_backward(std::span<const Part> parts,
                                         std::span<const size_t> together);

  std::vector<Learner*> learners_;
  int64_t rows_max_;
  Tape tape_;
};

}  // namespace plinth::train
