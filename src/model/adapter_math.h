// Arithmetic with adapters: into a base's weights, and with each other. Everything is computed in
// double and kept as F32; the inputs stay as they are. Work is spread over compute_pool().
#pragma once

#include <memory>
#include <span>

#include "core/result.h"
#include "model/model.h"

namespace plinth::model {

// The base with the delta added to its weights: a full model that needs no adapter. Matrices that
// the adapter changes are F32 in memory of their own, the others views into `base`, which stays
// alive. kInvalidArgument: the adapter has other layers than the base.
Result<std::shared_ptr<const Model>> merged(const std::shared_ptr<const Model>& base,
                                            const Adapter& adapter);

struct Weighted {
  const Adapter* adapter = nullptr;
  double weight = 1;
};

// The adapter whose delta is the weighted sum of the parts' deltas. Exact: the ranks are laid side
// by side, so that those of a layer add up; beyond kRankMax is kInvalidArgument. All parts are over
// one base shape.
Result<std::shared_ptr<const Adapter>> weighted_sum(std::span<const Weighted> parts,
                                                    const ModelConfig& base);

struct Refactored {
  std::shared_ptr<const Adapter> adapter;
  double kept = 1;  // of the squared norm of all deltas together
};

// The nearest adapter, in the squared norm of its deltas, of at most this rank: the largest
// singular values of each delta. Source: Eckart and Young, "The approximation of one matrix by
// another of lower rank", Psychometrika 1936.
Result<Refactored> refactored(const Adapter& adapter, const ModelConfig& base, int64_t rank);

}  // namespace plinth::model
