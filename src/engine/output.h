// What becomes of a sequence's logits: the seam between the steps, which are the same for all work,
// and answers, scores and raw logits. Called on the engine thread.
#pragma once

#include <cstdint>
#include <vector>

#include "core/result.h"
#include "engine/engine.h"
#include "tensor/tensor.h"

namespace plinth::engine {

class Output {
 public:
  virtual ~Output() = default;

  // The first position whose logits are still wanted from a sequence of `tokens` tokens; all later
  // ones are wanted too.
  virtual int64_t first_wanted(int64_t tokens) const = 0;

  // Hidden states are wanted instead of logits: then take() gets [rows, width], the last layer's
  // normalised output.
  virtual bool wants_hidden() const { return false; }

  // logits [rows, vocabulary] of positions first, first + 1, ... Each wanted position comes once,
  // in order. May append to `tokens`: then the sequence goes on. Returns true when it has ended.
  virtual bool take(int64_t first, tensor::ConstMatrix logits, std::vector<int32_t>& tokens) = 0;

  // So many more tokens at the front came from the prefix cache. First called, maybe with 0, when
  // its prompt begins to be read.
  virtual void found_cached(int64_t tokens) = 0;

  // What it has taken of the machine so far (Usage::core_s). Called before take(), and after steps.
  virtual void spent(double) {}

  // The sequence was ended from outside. Not called after take() returned true.
  virtual void abort(Error error) = 0;
};

}  // namespace plinth::engine
