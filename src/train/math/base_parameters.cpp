#include "train/math/base_parameters.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "core/rng.h"

namespace plinth::train {
namespace {

using model::Linear;
using tensor::Matrix;

constexpr double kInitialDeviation = 0.02;

void fill_normal(Matrix values, double deviation, Rng& rng) {
  for (int64_t i = 0; i < values.rows * values.cols; ++i)
    values.data[i] = static_cast<float>(rng.normal() * deviation);
}

void copy_values(const float* from, Matrix to) {
  if (from != nullptr)
    std::memcpy(to.data, from, static_cast<size_t>(to.rows * to.cols) * sizeof(float));
}

void copy_values(const tensor::Weight& from, Matrix to) {
  tensor::to_f32(from.data, from.type, from.rows * from.cols, to.data);
}

}  // namespace

std::string linear_parameter_name(int64_t layer, Linear which) {
  return fmt::format("model.layers.{}.{}.{}", layer, which <= Linear::kO ? "self_attn" : "mlp",
                     linear_name(which));
}

BaseParameters::BaseParameters(const model::ModelConfig& config)
    : config_(config), layers_(static_cast<size_t>(config.layers)) {
  for (size_t l = 0; l < layers_.size(); ++l) {
    for (int i = 0; i < model::kLinears; ++i) {
      const auto which = static_cast<Linear>(i);
      layers_[l].linear[static_cast<size_t>(i)] =
          parameters_.add(linear_parameter_name(static_cast<int64_t>(l), which) + ".weight",
                          config.outputs(which), config.inputs(which), /*decay=*/true);
    }
  }
  const auto plain = [&](std::string name, int64_t rows, int64_t cols) {
    return parameters_.add(std::move(name), rows, cols, /*decay=*/false);
  };
  embedding_ = plain("model.embed_tokens.weight", config.vocabulary, config.width);
  head_ = config.tied ? embedding_ : plain("lm_head.weight", config.vocabulary, config.width);
  final_norm_ = plain("model.norm.weight", 1, config.width);
  for (size_t l = 0; l < layers_.size(); ++l) {
    auto& layer = layers_[l];
    const auto name = [l](std::string_view rest) {
      return fmt::format("model.layers.{}.{}.weight", l, rest);
    };
    layer.attention_norm = plain(name("input_layernorm"), 1, config.width);
    layer.ffn_norm = plain(name("post_attention_layernorm"), 1, config.width);
    if (config.qk_norm) {
      layer.q_norm = plain(name("self_attn.q_norm"), 1, config.head_dim);
      layer.k_norm = plain(name("self_attn.k_norm"), 1, config.head_dim);
    }
    for (size_t i = 0; i < layer.bias.size(); ++i) {
      const auto which = static_cast<Linear>(i);
      if (!config.has_bias(which)) continue;
      layer.bias[i] = plain(linear_parameter_name(static_cast<int64_t>(l), which) + ".bias", 1,
                            config.outputs(which));
    }
  }
  parameters_.allocate();
}

void BaseParameters::initialise(uint64_t seed) {
  Rng rng(seed);
  const double residual = kInitialDeviation / std::sqrt(2.0 * static_cast<double>(config_.layers));
  const auto ones = [&](int64_t index) {
    if (index < 0) return;
    const Matrix values = parameters_.value(index);
    std::fill_n(values.data, values.cols, 1.0f);
  };
  fill_normal(parameters_.value(embedding_), kInitialDeviation, rng);
  if (head_ != embedding_) fill_normal(parameters_.value(head_), kInitialDeviation, rng);
  ones(final_norm_);
  for (const auto& layer : layers_) {
    for (int i = 0; i < model::kLinears; ++i) {
      const auto which = static_cast<Linear>(i);
      const bool to_residual = which == Linear::kO || which == Linear::kDown;
      fill_normal(parameters_.value(layer.linear[static_cast<size_t>(i)]),
                  to_residual ? residual : kInitialDeviation, rng);
    }
    for (const int64_t norm : {layer.attention_norm, layer.ffn_norm, layer.q_norm, layer.k_norm})
      ones(norm);
  }
}

void BaseParameters::copy_from(const model::Model& model) {
  const auto& from = model.weights();
  copy_values(from.embedding, parameters_.value(embedding_));
  if (head_ != embedding_) copy_values(from.head, parameters_.value(head_));
  copy_values(from.final_norm, parameters_.value(final_norm_));
  for (size_t l = 0; l < layers_.size(); ++l) {
    const auto& layer = layers_[l];
    const auto& source = from.layers[l];
    for (size_t i = 0; i < layer.linear.size(); ++i)
      copy_values(source.linear[i], parameters_.value(layer.linear[i]));
    copy_values(source.attention_norm, parameters_.value(layer.attention_norm));
    copy_values(source.ffn_norm, parameters_.value(layer.ffn_norm));
    if (layer.q_norm >= 0) copy_values(source.q_norm, parameters_.value(layer.q_norm));
    if (layer.k_norm >= 0) copy_values(source.k_norm, parameters_.value(layer.k_norm));
    for (size_t i = 0; i < layer.bias.size(); ++i)
      if (layer.bias[i] >= 0) copy_values(source.bias[i], parameters_.value(layer.bias[i]));
  }
}

const float* BaseParameters::value_or_null(int64_t index) {
  return index < 0 ? nullptr : parameters_.value(index).data;
}

float* BaseParameters::gradient_or_null(int64_t index) {
  return index < 0 ? nullptr : parameters_.gradient(index).data;
}

model::Weights BaseParameters::weights() {
  model::Weights weights;
  weights.embedding = tensor::weight(parameters_.value(embedding_));
  weights.head = tensor::weight(parameters_.value(head_));
  weights.final_norm = value_or_null(final_norm_);
  for (const auto& layer : layers_) {
    auto& out = weights.layers.emplace_back();
    for (size_t i = 0; i < layer.linear.size(); ++i)
      out.linear[i] = tensor::weight(parameters_.value(layer.linear[i]));
    for (size_t i = 0; i < layer.bias.size(); ++i) out.bias[i] = value_or_null(layer.bias[i]);
    out.attention_norm = value_or_null(layer.attention_norm);
    out.ffn_norm = value_or_null(layer.ffn_norm);
    out.q_norm = value_or_null(layer.q_norm);
    out.k_norm = value_or_null(layer.k_norm);
  }
  return weights;
}

ModelGradients BaseParameters::gradients() {
  ModelGradients gradients;
  gradients.embedding = parameters_.gradient(embedding_);
  gradients.head = parameters_.gradient(head_);
  gradients.final_norm = gradient_or_null(final_norm_);
  for (const auto& layer : layers_) {
    auto& out = gradients.layers.emplace_back();
    for (size_t i = 0; i < layer.linear.size(); ++i)
      out.linear[i] = parameters_.gradient(layer.linear[i]);
    for (size_t i = 0; i < layer.bias.size(); ++i) out.bias[i] = gradient_or_null(layer.bias[i]);
    out.attention_norm = gradient_or_null(layer.attention_norm);
    out.ffn_norm = gradient_or_null(layer.ffn_norm);
    out.q_norm = gradient_or_null(layer.q_norm);
    out.k_norm = gradient_or_null(layer.k_norm);
  }
  return gradients;
}

}  // namespace plinth::train
