// A whole base as trainable parameters: the arena's layout for an architecture, the weights that
// the forward pass reads from it, the gradients that the backward pass adds to it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "model/model.h"
#include "train/math/backward.h"
#include "train/math/parameters.h"

namespace plinth::train {

// "model.layers.0.self_attn.q_proj": a linear layer as Hugging Face names it.
std::string linear_parameter_name(int64_t layer, model::Linear which);

class BaseParameters {
 public:
  // Lays out and allocates; all values are zero. Matrices take weight decay, but the embedding (and
  // an untied head, and a table of positions), norms and biases don't.
  explicit BaseParameters(const model::ModelConfig& config);

  BaseParameters(const BaseParameters&) = delete;
  BaseParameters& operator=(const BaseParameters&) = delete;

  // A beginning: matrices normal(0, 0.02), those that write to the residual stream divided by
  // sqrt(2 layers), norms one, biases zero. Source: Radford et al., "Language Models are
  // Unsupervised Multitask Learners", 2019, section 2.3.
  void initialise(uint64_t seed);

  // The values of an opened model of the same shape, converted to F32.
  void copy_from(const model::Model& model);

  Parameters& parameters() { return parameters_; }

  // Views into the arena, valid as long as this object.
  model::Weights weights();
  ModelGradients gradients();

 private:
  struct Layer {
    std::array<int64_t, model::kLinears> linear = {-1, -1, -1, -1, -1, -1, -1};
    std::array<int64_t, model::kLinears> bias = {-1, -1, -1, -1, -1, -1, -1};
    int64_t attention_norm = -1, ffn_norm = -1, q_norm = -1, k_norm = -1;
    int64_t attention_norm_bias = -1, ffn_norm_bias = -1;
  };

  float* gradient_or_null(int64_t index);
  const float* value_or_null(int64_t index);
  void copy(const float* from, int64_t index);

  model::ModelConfig config_;
  Parameters parameters_;
  int64_t embedding_ = -1, head_ = -1, position_table_ = -1;
  int64_t final_norm_ = -1, final_norm_bias_ = -1;
  std::vector<Layer> layers_;
};

}  // namespace plinth::train
