#include "train/math/tape.h"

#include <algorithm>
#include <iterator>

#include "core/check.h"
#include "train/math/noise.h"
#include "train/math/packed_attention.h"

namespace plinth::train {

using model::Linear;
using tensor::ConstMatrix;
using tensor::Matrix;

Tape::Tape(const model::Model& model, const tensor::Ops& ops, int64_t recomputed_layers)
    : model_(&model),
      ops_(&ops),
      loss_(ops),
      recomputed_layers_(recomputed_layers),
      inputs_(static_cast<size_t>(model.config().layers) + 1),
      activations_(static_cast<size_t>(model.config().layers - recomputed_layers) + 1) {
  PLINTH_CHECK(recomputed_layers >= 0 && recomputed_layers <= model.config().layers,
               "{} of {} layers to be recomputed", recomputed_layers, model.config().layers);
}

model::Activations& Tape::activations_of(int64_t layer) {
  return activations_[static_cast<size_t>(std::max<int64_t>(0, layer - recomputed_layers_ + 1))];
}

ConstMatrix Tape::forward(const MicroBatch& batch, model::AdapterSeam* adapter, bool keep) {
  const auto& config = model_->config();
  const int64_t rows = batch.rows();
  PackedAttention attention(*ops_, config.attention(), batch.segment_starts);
  Matrix x = inputs_[0].as(rows, config.width);
  model::embed_tokens(*model_, *ops_, batch.tokens, batch.positions, x);
  if (adapter != nullptr) adapter->add_embedding(batch.tokens, x);
  if (keep && !batch.noise.empty()) add_noise(batch, x);
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    const Matrix out = keep ? inputs_[static_cast<size_t>(layer) + 1].as(rows, config.width) : x;
    auto& activations = activations_of(keep ? layer : 0);
    if (keep && layer > 0) {
      auto& before = activations_of(layer - 1);
      if (&before != &activations) activations.exchange_restorable(before);
    }
    model::block_forward({.model = model_,
                          .ops = ops_,
                          .layer = layer,
                          .positions = batch.positions,
                          .attention = &attention,
                          .adapters = adapter},
                         x, activations, out);
    x = out;
  }
  hidden_rms_.resize(rows);
  const Matrix hidden = hidden_.as(rows, config.width);
  model::final_norm(*model_, *ops_, x, hidden, hidden_rms_.data());
  return hidden;
}

// Brings the activations of a layer back; those above it have been used up.
void Tape::recompute(const model::BlockInput& input) {
  const auto& config = model_->config();
  const int64_t layer = input.layer;
  auto& activations = activations_of(layer);
  const ConstMatrix x =
      inputs_[static_cast<size_t>(layer)].as(std::ssize(input.positions), config.width);
  if (layer + 1 == config.layers) {
    // Fresh from the forward pass.
  } else if (layer < recomputed_layers_) {
    auto& above = activations_of(layer + 1);
    if (&above != &activations) activations.exchange_restorable(above);
    model::block_forward(input, x, activations, /*out=*/{});
  } else {
    activations.exchange_restorable(activations_of(layer + 1));
    model::restore_block(input, x, activations);
  }
}

void Tape::log_probabilities(const MicroBatch& batch, model::AdapterSeam* adapter,
                             ConstMatrix hidden, std::vector<float>& out) {
  out.resize(batch.tokens.size());
  loss_.log_probabilities({.hidden = hidden,
                           .head = model_->weights().head,
                           .targets = batch.targets,
                           .weights = batch.weights,
                           .adapter = adapter,
                           .part_starts = batch.part_starts},
                          out);
}

double Tape::loss(const MicroBatch& batch, model::AdapterSeam* adapter, RowObjective* objective) {
  if (objective != nullptr)
    log_probabilities(batch, nullptr, forward(batch, nullptr, /*keep=*/false), reference_);
  const ConstMatrix hidden = forward(batch, adapter, /*keep=*/false);
  if (objective != nullptr) {
    log_probabilities(batch, adapter, hidden, policy_);
    weights_.resize(batch.tokens.size());
    return objective->weigh(batch, policy_, reference_, weights_);
  }
  return loss_.only({hidden, model_->weights().head, batch.targets, batch.weights, adapter});
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
    log_probabilities(batch, nullptr, forward(batch, nullptr, /*keep=*/false), reference_);
  const ConstMatrix hidden = forward(batch, trainable.adapter, /*keep=*/true);

  double value = 0;
  std::span<const float> weights = batch.weights;
  if (objective != nullptr) {
    log_probabilities(batch, trainable.adapter, hidden, policy_);
    weights_.resize(batch.tokens.size());
    value = objective->weigh(batch, policy_, reference_, weights_);
    weights = weights_;
  }
  const Matrix dhidden = dhidden_.as(rows, config.width);
  row_losses_.resize(static_cast<size_t>(rows));
  const double loss = loss_.with_gradient(
      {hidden, model_->weights().head, batch.targets, weights, trainable.adapter, anchor,
       row_losses_, batch.part_starts},
      dhidden, gradients != nullptr ? gradients->head : Matrix{}, trainable.adapter);

  const bool below_learns = gradients != nullptr ||
                            (trainable.adapter != nullptr && trainable.adapter->learns_embedding());
  PackedAttention attention(*ops_, config.attention(), batch.segment_starts);
  const Matrix d = d_.as(rows, config.width);
  d_.fill(0.0f);
  final_norm_backward(*model_, *ops_, inputs_.back().as(rows, config.width), hidden_rms_.data(),
                      dhidden, d, gradients);
  for (int64_t layer = config.layers - 1; layer >= 0; --layer) {
    const auto i = static_cast<size_t>(layer);
    recompute({.model = model_,
               .ops = ops_,
               .layer = layer,
               .positions = batch.positions,
               .attention = &attention,
               .adapters = trainable.adapter});
    block_backward({.model = model_,
                    .ops = ops_,
                    .layer = layer,
                    .positions = batch.positions,
                    .segment_starts = batch.segment_starts,
                    .gradients = gradients != nullptr ? &gradients->layers[i] : nullptr,
                    .adapters = trainable.adapter,
                    .input_gradient = layer > 0 || below_learns},
                   inputs_[i].as(rows, config.width), activations_of(layer), scratch_, d);
  }
  if (gradients != nullptr) embed_backward(*ops_, batch.tokens, batch.positions, d, *gradients);
  if (trainable.adapter != nullptr) trainable.adapter->add_embedding_backward(batch.tokens, d);
  return objective != nullptr ? value : loss;
}

int64_t Tape::bytes() const {
  int64_t bytes = loss_.bytes() + scratch_.bytes();
  for (const auto& activations : activations_) bytes += activations.bytes();
  int64_t floats = 0;
  for (const auto& input : inputs_) floats += input.size();
  for (const auto* buffer : {&hidden_, &hidden_rms_, &anchor_, &d_, &dhidden_})
    floats += buffer->size();
  return bytes + floats * static_cast<int64_t>(sizeof(float));
}

namespace {

// Floats of a row in a layer's activations that are kept for the backward pass, and that are worked
// out again from them.
int64_t kept_floats(const model::ModelConfig& config) {
  const int64_t q = config.outputs(Linear::kQ);
  const int64_t k = config.outputs(Linear::kK);
  const bool gated = config.ffn_kind == model::FfnKind::kSwiglu;
  const int64_t normed = config.qk_norm ? q + k + config.heads + config.kv_heads : 0;
  return 2 + normed + q + 2 * k + q + config.heads + config.width + (gated ? 2 : 1) * config.ffn;
}

int64_t restorable_floats(const model::ModelConfig& config) {
  return 2 * config.width + config.ffn;
}

}  // namespace

int64_t Tape::measuring_bytes_of(const model::ModelConfig& config, int64_t rows) {
  const int64_t ends = 2 * config.width + 1;  // what comes in, hidden; rms
  return rows * (restorable_floats(config) + kept_floats(config) + ends) *
         static_cast<int64_t>(sizeof(float));
}

int64_t Tape::bytes_of(const model::ModelConfig& config, tensor::DType head, int64_t rows,
                       int64_t recomputed_layers) {
  const int64_t q = config.outputs(Linear::kQ);
  const int64_t k = config.outputs(Linear::kK);
  const int64_t restorable = restorable_floats(config);
  const int64_t kept = kept_floats(config);
  const int64_t layers = config.layers - recomputed_layers + (recomputed_layers > 0 ? 1 : 0);
  const int64_t inputs = (config.layers + 1) * config.width;
  const int64_t scratch = config.width + config.ffn + q + q + 2 * k + (config.qk_norm ? q + k : 0);
  const int64_t ends = 3 * config.width + 1;  // hidden, d, dhidden; rms
  const int64_t floats = rows * (restorable + layers * kept + inputs + scratch + ends);
  return floats * static_cast<int64_t>(sizeof(float)) + ChunkedLoss::bytes_of(config, head, rows);
}

}  // namespace plinth::train
