// How a checkpoint stretches RoPE beyond the context it was first trained with.
#pragma once

#include <cstdint>
#include <vector>

#include "core/result.h"

namespace plinth::model {

enum class RopeScalingKind : uint8_t {
  kNone,
  kLinear,  // every frequency divided by the factor
  kLlama3,  // long waves divided by the factor, short ones kept, a ramp between
  kYarn,    // the same by dimensions, and a magnitude
};

struct RopeScaling {
  RopeScalingKind kind = RopeScalingKind::kNone;
  double factor = 1;
  int64_t original_context = 0;  // llama3, yarn: tokens before the stretch
  double low_frequency = 1;      // llama3: waves longer than original_context / this are divided
  double high_frequency = 4;     // llama3: waves shorter than original_context / this are kept
  double beta_fast = 32;         // yarn: dimensions with more turns than this are kept
  double beta_slow = 1;          // yarn: dimensions with fewer turns than this are divided
  bool truncate = true;          // yarn: the ramp begins and ends at whole dimensions
  double magnitude = 1;          // yarn: of cosine and sine
  // One more divisor for each pair, as GGUF's rope_freqs.weight has it; empty: none.
  std::vector<float> divisors = {};

  // kInvalidArgument names the number that makes no sense.
  Status check(int64_t head_dim) const;

  bool operator==(const RopeScaling&) const = default;
};

// 0.1 ln(factor) + 1: the magnitude that YaRN gives a stretch.
double yarn_magnitude(double factor);

// The head_dim / 2 inverse frequencies of a checked scaling.
// Sources: Peng et al., "YaRN: Efficient Context Window Extension of Large Language Models", 2023,
// section 3; modeling_rope_utils.py of transformers (llama3).
std::vector<float> rope_frequencies(int64_t head_dim, double theta, const RopeScaling& scaling);

}  // namespace plinth::model
