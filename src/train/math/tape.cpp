#include "train/math/tape.h"

#include <algorithm>

#include "core/check.h"
#include "train/math/noise.h"
#include "train/math/packed_attention.h"

namespace plinth::train {

using tensor::ConstMatrix;
using tensor::Matrix;

Tape::Tape(const model::Model& model, const tensor::Ops& ops)
    : model_(&model),
      ops_(&ops),
      loss_(ops),
      inputs_(static_cast<size_t>(model.config().layers) + 1),
      activations_(static_cast<size_t>(model.config().layers)) {}

ConstMatrix Tape::forward(const MicroBatch& batch, model::AdapterSeam* adapter, bool keep) {
  const auto& config = model_->config();
  const int64_t rows = batch.rows();
  PackedAttention attention(*ops_, config.attention(), batch.segment_starts);
  Matrix x = inputs_[0].as(rows, config.width);
  model::embed_tokens(*model_, *ops_, batch.tokens, batch.positions, x);
  if (keep && batch.noise_alpha > 0) add_noise(batch, x);
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    const auto slot = static_cast<size_t>(keep ? layer : 0);
    const Matrix out = keep ? inputs_[slot + 1].as(rows, config.width) : x;
    model::block_forward({.model = model_,
                          .ops = ops_,
                          .layer = layer,
                          .positions = batch.positions,
                          .attention = &attention,
                          .adapters = adapter},
                         x, activations_[slot], out);
    x = out;
  }
  hidden_rms_.resize(rows);
  const Matrix hidden = hidden_.as(rows, config.width);
  model::final_norm(*model_, *ops_, x, hidden, hidden_rms_.data());
  return hidden;
}

void Tape::log_probabilities(const MicroBatch& batch, ConstMatrix hidden, std::vector<float>& out) {
  out.resize(batch.tokens.size());
  loss_.log_probabilities({hidden, model_->weights().head, batch.targets, batch.weights}, out);
}

double Tape::loss(const MicroBatch& batch, model::AdapterSeam* adapter, RowObjective* objective) {
  if (objective != nullptr)
    log_probabilities(batch, forward(batch, nullptr, /*keep=*/false), reference_);
  const ConstMatrix hidden = forward(batch, adapter, /*keep=*/false);
  if (objective != nullptr) {
    log_probabilities(batch, hidden, policy_);
    weights_.resize(batch.tokens.size());
    return objective->weigh(batch, policy_, reference_, weights_);
  }
  return loss_.only({hidden, model_->weights().head, batch.targets, batch.weights});
}

double Tape::forward_backward(const MicroBatch& batch, const Trainable& trainable,
                              RowObjective* objective) {
  PLINTH_CHECK(objective == nullptr || trainable.base == nullptr,
               "an objective with a reference, and a base that changes");
  const auto& config = model_->config();
  const int64_t rows = batch.rows();
  const ModelGradients* gradients = trainable.base;
  ConstMatrix anchor;
  if (batch.anchored) {
    const ConstMatrix base = forward(batch, nullptr, /*keep=*/false);
    const Matrix copy = anchor_.as(rows, config.width);
    std::copy_n(base.data, rows * config.width, copy.data);
    anchor = copy;
  }
  if (objective != nullptr)
    log_probabilities(batch, forward(batch, nullptr, /*keep=*/false), reference_);
  const ConstMatrix hidden = forward(batch, trainable.adapter, /*keep=*/true);

  double value = 0;
  std::span<const float> weights = batch.weights;
  if (objective != nullptr) {
    log_probabilities(batch, hidden, policy_);
    weights_.resize(batch.tokens.size());
    value = objective->weigh(batch, policy_, reference_, weights_);
    weights = weights_;
  }
  const Matrix dhidden = dhidden_.as(rows, config.width);
  const double loss =
      loss_.with_gradient({hidden, model_->weights().head, batch.targets, weights, anchor}, dhidden,
                          gradients != nullptr ? gradients->head : Matrix{});

  const Matrix d = d_.as(rows, config.width);
  d_.fill(0.0f);
  final_norm_backward(*model_, *ops_, inputs_.back().as(rows, config.width), hidden_rms_.data(),
                      dhidden, d, gradients);
  for (int64_t layer = config.layers - 1; layer >= 0; --layer) {
    const auto i = static_cast<size_t>(layer);
    block_backward({.model = model_,
                    .ops = ops_,
                    .layer = layer,
                    .positions = batch.positions,
                    .segment_starts = batch.segment_starts,
                    .gradients = gradients != nullptr ? &gradients->layers[i] : nullptr,
                    .adapters = trainable.adapter,
                    .input_gradient = layer > 0 || gradients != nullptr},
                   inputs_[i].as(rows, config.width), activations_[i], scratch_, d);
  }
  if (gradients != nullptr) embed_backward(*ops_, batch.tokens, batch.positions, d, *gradients);
  return objective != nullptr ? value : loss;
}

int64_t Tape::bytes() const {
  int64_t bytes = 0;
  for (const auto& activations : activations_) bytes += activations.bytes();
  for (const auto& input : inputs_) bytes += input.size() * static_cast<int64_t>(sizeof(float));
  return bytes;
}

}  // namespace plinth::train
