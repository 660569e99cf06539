// The keys of config.json that most architectures share, in the names of transformers' LlamaConfig.
#pragma once

#include "core/json.h"
#include "core/result.h"
#include "model/model.h"

namespace plinth::model {

// What the class assumes where the file is silent.
struct CheckpointDefaults {
  double rope_theta = 10000.0;
  bool tied = false;
};

// Sizes, norm, RoPE with its scaling, biases and tying. What would change the computation in a way
// that is not implemented is refused by its name and value.
Status read_llama_keys(const Json& json, const CheckpointDefaults& defaults, ModelConfig& config);

// `window` tokens of sliding attention; 0: none. Full attention is the same as long as the text
// fits in the window, so that is what the context becomes.
void limit_to_window(int64_t window, ModelConfig& config);

// "rope_scaling" until transformers 4, "rope_parameters" since 5; null when there is neither.
const Json* find_rope_keys(const Json& json);

}  // namespace plinth::model
