// From logits to one token. Everything that decides is the sequence's own (its settings, its
// counts, its generator), so the choice never depends on what else is in the batch.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/result.h"
#include "core/rng.h"
#include "engine/engine.h"
#include "engine/peaks.h"

namespace plinth::engine {

// How often tokens occurred, for the penalties.
class TokenCounts {
 public:
  void add_prompt(int32_t token) { counts_[token]; }

  void add_answer(int32_t token) { ++counts_[token]; }

  // token -> times in the answer (0: prompt only).
  const std::unordered_map<int32_t, int32_t>& all() const { return counts_; }

 private:
  std::unordered_map<int32_t, int32_t> counts_;
};

struct Choice {
  int32_t token = -1;
  float logprob = 0;  // under the model and the mask: before temperature, penalties and bias
  std::vector<std::pair<int32_t, float>> top = {};  // Sampling::top_logprobs of them, best first
};

// How probable one given token is, with the `top` best ones beside it: the figures that choose()
// reports of the token that it takes. kInternal when no logit is a number.
Result<Choice> score_token(std::span<const float> logits, int32_t token, int32_t top);

class Sampler {
 public:
  // bias ids outside the vocabulary are refused by Engine::submit, sampling.check() has passed.
  explicit Sampler(Sampling sampling);

  // `mask`, when it is not empty: bit t of word t / 64 says whether token t may come; tokens behind
  // its end may not. All else then happens among those that may, log-probabilities included.
  // Order: bias; repetition, frequency and presence penalty; temperature; top-k; min-p; typical;
  // top-p. Equal logits: the smaller id. kInternal when no logit is a number.
  Result<Choice> choose(std::span<const float> logits, const TokenCounts& counts,
                        std::span<const uint64_t> mask = {});

  // Whether counts matter at all.
  bool wants_counts() const;

 private:
  struct Candidate {
    int32_t token = 0;
    float logit = 0;
    double weight = 0;    // exp(logit - best)
    double distance = 0;  // between its surprise and the expected one (typical)
  };

  void adjust(std::span<float> logits, const TokenCounts& counts) const;
  // peaks_ are of these logits.
  int32_t draw(std::span<const float> logits, int32_t best);
  int32_t draw_of_all(std::span<const float> logits, int32_t best, double total);
  void gather(float floor, float peak);
  void gather_mass(double wanted, double least, float peak);
  float floor_of_weight(double weight, float peak) const;
  double total_weight() const;
  void keep_top(size_t n);
  void keep_typical();
  template <typename Better>
  void keep_mass(double wanted, Better better);

  Sampling sampling_;
  Rng rng_;
  Peaks peaks_;
  std::vector<float> sums_;            // scratch, by pieces of the vocabulary
  std::vector<float> masked_;          // scratch [vocabulary]
  std::vector<float> adjusted_;        // scratch [vocabulary]
  std::vector<Candidate> candidates_;  // scratch
};

}  // namespace plinth::engine
