// Direct preference optimisation: of two answers to one prompt, the preferred one becomes likelier
// and the other less likely, measured from what the base says without its adapter. There is no
// second model: the reference is the same base with the adapter left out.
//
// Source: Rafailov et al., "Direct Preference Optimization: Your Language Model is Secretly a
// Reward Model", NeurIPS 2023, equation 7.
#pragma once

#include <cstdint>
#include <span>

#include "train/math/tape.h"

namespace plinth::train {

// beta: how dearly leaving the reference is paid for. scale: usually 1 / pairs of the step, over
// however many micro-batches they fall.
struct PreferenceOptions {
  double beta = 0;
  double scale = 0;
};

// The objective of micro-batches whose segments are pairs: 2i is preferred over 2i + 1. The rows
// with a target are those of the answers; a batch's own weights don't count.
//
//   L = -scale * sum over pairs of log sigmoid(beta * margin)
//   margin = (log p(preferred) - log p(other)) - (the same without the adapter)
class PreferenceLoss : public RowObjective {
 public:
  explicit PreferenceLoss(const PreferenceOptions& options)
      : beta_(options.beta), scale_(options.scale) {}

  double weigh(const MicroBatch& batch, std::span<const float> policy,
               std::span<const float> reference, std::span<float> weights) override;

  // Pairs seen so far, and those whose margin is positive.
  int64_t pairs() const { return pairs_; }

  int64_t preferred() const { return preferred_; }

 private:
  double beta_;
  double scale_;
  int64_t pairs_ = 0;
  int64_t preferred_ = 0;
};

}  // namespace plinth::train
