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

void copy_values(const tensor::Weight& from, Matrix to) {
  std::vector<uint8_t> scratch;
  for (int64_t r = 0; r < from.rows; ++r)
    tensor::to_f32(from.row(r, scratch), from.type, from.cols, to.row(r));
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
      if (!config.has(which)) continue;
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
  if (config.positions == model::PositionKind::kLearned)
    position_table_ = plain("model.embed_positions.weight", config.context, config.width);
  const bool norm_bias = config.norm == model::NormKind::kLayer;
  final_norm_ = plain("model.norm.weight", 1, config.width);
  if (norm_bias) final_norm_bias_ = plain("model.norm.bias", 1, config.width);
  for (size_t l = 0; l < layers_.size(); ++l) {
    auto& layer = layers_[l];
    const auto name = [l](std::string_view rest) {
      return fmt::format("model.layers.{}.{}.weight", l, rest);
    };
    layer.attention_norm = plain(name("input_layernorm"), 1, config.width);
    layer.ffn_norm = plain(name("post_attention_layernorm"), 1, config.width);
    if (norm_bias) {
      const auto bias = [l](std::string_view rest) {
        return fmt::format("model.layers.{}.{}.bias", l, rest);
      };
      layer.attention_norm_bias = plain(bias("input_layernorm"), 1, config.width);
      layer.ffn_norm_bias = plain(bias("post_attention_layernorm"), 1, config.width);
    }
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
  if (position_table_ >= 0) fill_normal(parameters_.value(position_table_), kInitialDeviation, rng);
  ones(final_norm_);
  for (const auto& layer : layers_) {
    for (int i = 0; i < model::kLinears; ++i) {
      const auto which = static_cast<Linear>(i);
      if (!config_.has(which)) continue;
      const bool to_residual = which == Linear::kO || which == Linear::kDown;
      fill_normal(parameters_.value(layer.linear[static_cast<size_t>(i)]),
                  to_residual ? residual : kInitialDeviation, rng);
    }
    for (const int64_t norm : {layer.attention_norm, layer.ffn_norm, layer.q_norm, layer.k_norm})
      ones(norm);
  }
}

void BaseParameters::copy(const float* from, int64_t index) {
  if (index < 0) return;
  const Matrix to = parameters_.value(index);
  std::memcpy(to.data, from, static_cast<size_t>(to.rows * to.cols) * sizeof(float));
}

void BaseParameters::copy_from(const model::Model& model) {
  const auto& from = model.weights();
  copy_values(from.embedding, parameters_.value(embedding_));
  if (head_ != embedding_) copy_values(from.head, parameters_.value(head_));
  copy(from.position_table, position_table_);
  copy(from.final_norm, final_norm_);
  copy(from.final_norm_bias, final_norm_bias_);
  for (size_t l = 0; l < layers_.size(); ++l) {
    const auto& layer = layers_[l];
    const auto& source = from.layers[l];
    for (size_t i = 0; i < layer.linear.size(); ++i) {
      if (layer.linear[i] >= 0) copy_values(source.linear[i], parameters_.value(layer.linear[i]));
      copy(source.bias[i], layer.bias[i]);
    }
    copy(source.attention_norm, layer.attention_norm);
    copy(source.attention_norm_bias, layer.attention_norm_bias);
    copy(source.ffn_norm, layer.ffn_norm);
    copy(source.ffn_norm_bias, layer.ffn_norm_bias);
    copy(source.q_norm, layer.q_norm);
    copy(source.k_norm, layer.k_norm);
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
  weights.position_table = value_or_null(position_table_);
  weights.final_norm = value_or_null(final_norm_);
  weights.final_norm_bias = value_or_null(final_norm_bias_);
  for (const auto& layer : layers_) {
    auto& out = weights.layers.emplace_back();
    for (size_t i = 0; i < layer.linear.size(); ++i)
      if (layer.linear[i] >= 0) out.linear[i] = tensor::weight(parameters_.value(layer.linear[i]));
    for (size_t i = 0; i < layer.bias.size(); ++i) out.bias[i] = value_or_null(layer.bias[i]);
    out.attention_norm = value_or_null(layer.attention_norm);
    out.attention_norm_bias = value_or_null(layer.attention_norm_bias);
    out.ffn_norm = value_or_null(layer.ffn_norm);
    out.ffn_norm_bias = value_or_null(layer.ffn_norm_bias);
    out.q_norm = value_or_null(layer.q_norm);
    out.k_norm = value_or_null(layer.k_norm);
  }
  return weights;
}

ModelGradients BaseParameters::gradients() {
  ModelGradients gradients;
  gradients.embedding = parameters_.gradient(embedding_);
  gradients.head = parameters_.gradient(head_);
  if (position_table_ >= 0) gradients.position_table = parameters_.gradient(position_table_);
  gradients.final_norm = gradient_or_null(final_norm_);
  gradients.final_norm_bias = gradient_or_null(final_norm_bias_);
  for (const auto& layer : layers_) {
    auto& out = gradients.layers.emplace_back();
    for (size_t i = 0; i < layer.linear.size(); ++i)
      if (layer.linear[i] >= 0) out.linear[i] = parameters_.gradient(layer.linear[i]);
    for (size_t i = 0; i < layer.bias.size(); ++i) out.bias[i] = gradient_or_null(layer.bias[i]);
    out.attention_norm = gradient_or_null(layer.attention_norm);
    out.attention_norm_bias = gradient_or_null(layer.attention_norm_bias);
    out.ffn_norm = gradient_or_null(layer.ffn_norm);
    out.ffn_norm_bias = gradient_or_null(layer.ffn_norm_bias);
    out.q_norm = gradient_or_null(layer.q_norm);
    out.k_norm = gradient_or_null(layer.k_norm);
  }
  return gradients;
}

}  // namespace plinth::train
