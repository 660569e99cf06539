// A model for tests whose every probability is known.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>

#include "engine/test_model.h"

namespace plinth::eval {

// The byte 'y' has this logit whatever stands before it, all other tokens have 0: the blocks add
// nothing, every token's embedding is the same.
inline std::shared_ptr<const model::Model> y_sayer(double logit) {
  model::ModelConfig config = engine::tiny_config();
  config.tied = false;
  auto store = std::make_shared<engine::FloatStore>();
  const auto zeros = [&](int64_t rows, int64_t cols) {
    return tensor::weight(tensor::matrix(
        std::as_const(store->add(static_cast<size_t>(rows * cols))).data(), rows, cols));
  };
  const auto ones = [&](int64_t n) {
    auto& floats = store->add(static_cast<size_t>(n));
    std::ranges::fill(floats, 1.0f);
    return floats.data();
  };
  model::Weights weights;
  weights.embedding = {ones(config.vocabulary * config.width), tensor::DType::kF32,
                       config.vocabulary, config.width};
  weights.head = zeros(config.vocabulary, config.width);
  const auto width = static_cast<size_t>(config.width);
  auto& head = *store->parts.back();
  for (size_t i = 0; i < width; ++i)
    head['y' * width + i] = static_cast<float>(logit / static_cast<double>(width));
  weights.final_norm = ones(config.width);
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    model::LayerWeights block;
    for (int i = 0; i < model::kLinears; ++i) {
      const auto which = static_cast<model::Linear>(i);
      block.linear[static_cast<size_t>(i)] = zeros(config.outputs(which), config.inputs(which));
    }
    block.attention_norm = ones(config.width);
    block.ffn_norm = ones(config.width);
    block.q_norm = ones(config.head_dim);
    block.k_norm = ones(config.head_dim);
    weights.layers.push_back(block);
  }
  return model::Model::assemble(config, weights, std::make_shared<engine::ByteTokenizer>(), "",
                                store);
}

}  // namespace plinth::eval
