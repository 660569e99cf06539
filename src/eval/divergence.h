// How far are a model's next-token distributions from a reference's, such as a quantised copy's
// from the float32 one's?
//
// The text suite's documents, joined by line breaks, are one sequence of tokens; of it 32 windows
// of 256 tokens, spread evenly (fewer where the text is short), go through both models. At each
// position the Kullback-Leibler divergence of the model's distribution from the reference's,
//   sum over tokens t of p(t) ln(p(t) / q(t)),   p: the reference, q: the model,
// in nats and in double precision over the whole vocabulary. What is measured is the engine as it
// serves: over a quantised base also what the rounding of activations costs. A copy of that base as
// F32 (`plinth model export --type f32`) shows the weights alone.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "core/result.h"
#include "engine/engine.h"
#include "eval/bootstrap.h"
#include "eval/suite.h"

namespace plinth::eval {

// An engine and what its base wears; null: nothing.
struct Speaker {
  engine::Engine& engine;
  std::shared_ptr<const model::Adapter> adapter = {};
};

struct Divergence {
  Interval nats = {};         // mean over positions, 95 % interval of a bootstrap over windows
  double same_best = 0;       // share of positions at which both have the same most likely token
  double nats_per_token = 0;  // negative log-likelihood of the text, the model
  double nats_per_token_reference = 0;
  int64_t positions = 0;
};

// kInvalidArgument when the two do not cut the text into the same tokens, or it has fewer than two.
// `progress` is called with windows done and in all.
Result<Divergence> divergence(const Speaker& model, const Speaker& reference, const Suite& suite,
                              uint64_t seed,
                              const std::function<void(int64_t, int64_t)>& progress = {});

}  // namespace plinth::eval
