#include "train/math/backward.h"

namespace plinth::train {
namespace {

using model::Linear;
using tensor::ConstMatrix;
using tensor::Matrix;

struct Layer {
  const BlockBackward& input;
  const model::LayerWeights& weights;

  // y = x W^T + b + adapter: everything that dy brings. dx is overwritten or added to; a null one
  // is left out.
  void backward(Linear which, ConstMatrix x, ConstMatrix dy, Matrix dx, bool accumulate) const {
    const auto i = static_cast<size_t>(which);
    if (dx.data != nullptr) input.ops->linear_dx(dy, weights.linear[i], dx, accumulate);
    own_backward(which, x, dy);
    if (input.adapters != nullptr) input.adapters->add_backward(input.layer, which, x, dy, dx);
  }

  // Gradients to the layer's own weight and bias.
  void own_backward(Linear which, ConstMatrix x, ConstMatrix dy) const {
    if (input.gradients == nullptr) return;
    const auto i = static_cast<size_t>(which);
    if (input.gradients->linear[i].data != nullptr)
      input.ops->linear_dw(dy, x, input.gradients->linear[i], /*accumulate=*/true);
    float* bias = input.gradients->bias[i];
    if (bias == nullptr) return;
    for (int64_t r = 0; r < dy.rows; ++r)
      for (int64_t c = 0; c < dy.cols; ++c) bias[c] += dy.row(r)[c];
  }
};

// A norm's weights and where their gradients go (null: frozen).
struct Norm {
  const float* gain;
  const float* inverse_rms;  // LayerNorm works out its own
  float* dgain;
  float* dbias;
};

// dx += what dy brings through y = norm(x).
void normalise_backward(const model::ModelConfig& config, const tensor::Ops& ops, ConstMatrix x,
                        const Norm& norm, ConstMatrix dy, Matrix dx) {
  if (config.norm == model::NormKind::kLayer)
    ops.layer_norm_backward(x, norm.gain, config.norm_eps, dy, dx, norm.dgain, norm.dbias);
  else
    ops.rms_norm_backward(x, norm.gain, norm.inverse_rms, dy, dx, norm.dgain);
}

// dy [R, ffn]: the gradient to down's input, through the activation to x, the input of the
// projections before it. The activations of gate and up are used up.
void activate_backward(const Layer& layer, ConstMatrix x, Matrix dy, model::Activations& a,
                       Matrix dx) {
  const auto& config = layer.input.model->config();
  const auto& ops = *layer.input.ops;
  const Matrix dup = a.up.as(x.rows, config.ffn);
  if (config.ffn_kind == model::FfnKind::kGelu) {
    ops.gelu_backward(dup, dy, dup);
    return layer.backward(Linear::kUp, x, dup, dx, /*accumulate=*/false);
  }
  const Matrix dgate = a.gate.as(x.rows, config.ffn);
  ops.swiglu_backward(dgate, dup, dy, dgate, dup);
  layer.backward(Linear::kGate, x, dgate, dx, /*accumulate=*/false);
  layer.backward(Linear::kUp, x, dup, dx, /*accumulate=*/true);
}

// Undoes rotation and norm of q or k: dy in, the gradient to the projection's output back.
Matrix unrotate(const Layer& layer, Matrix dy, const float* gain, float* dgain, tensor::Buffer& raw,
                tensor::Buffer& rms, tensor::Buffer& draw) {
  const auto& input = layer.input;
  const auto& config = input.model->config();
  const auto rotate_back = [&](Matrix heads) {
    if (config.rotates(input.layer))
      input.ops->rope(heads, input.positions, input.model->rope(), /*inverse=*/true);
  };
  if (gain == nullptr || !config.qk_norm_after_rope) rotate_back(dy);
  if (gain == nullptr) return dy;
  const int64_t rows = dy.rows * dy.cols / config.head_dim;
  const Matrix dx = draw.as(dy.rows, dy.cols);
  draw.fill(0.0f);
  input.ops->rms_norm_backward(raw.as(rows, config.head_dim), gain, rms.data(),
                               tensor::matrix(dy.data, rows, config.head_dim),
                               tensor::matrix(dx.data, rows, config.head_dim), dgain);
  if (config.qk_norm_after_rope) rotate_back(dx);
  return dx;
}

}  // namespace

int64_t BackwardScratch::bytes() const {
  int64_t floats = 0;
  for (const auto* buffer :
       {&width_like, &ffn_like, &attended_like, &dq, &dk, &dv, &dq_raw, &dk_raw})
    floats += buffer->size();
  return floats * static_cast<int64_t>(sizeof(float));
}

void final_norm_backward(const model::Model& model, const tensor::Ops& ops, ConstMatrix x,
                         const float* inverse_rms, ConstMatrix dy, Matrix dx,
                         const ModelGradients* gradients) {
  normalise_backward(model.config(), ops, x,
                     {model.weights().final_norm, inverse_rms,
                      gradients != nullptr ? gradients->final_norm : nullptr,
                      gradients != nullptr ? gradients->final_norm_bias : nullptr},
                     dy, dx);
}

void embed_backward(const tensor::Ops& ops, std::span<const int32_t> tokens,
                    std::span<const int32_t> positions, ConstMatrix d,
                    const ModelGradients& gradients) {
  ops.embed_backward(tokens, d, gradients.embedding);
  if (gradients.position_table.data != nullptr)
    ops.embed_backward(positions, d, gradients.position_table);
}

void block_backward(const BlockBackward& input, ConstMatrix x, model::Activations& activations,
                    BackwardScratch& scratch, Matrix d) {
  const auto& config = input.model->config();
  const auto& ops = *input.ops;
  const auto& weights = input.model->weights().layers[static_cast<size_t>(input.layer)];
  const Layer layer{input, weights};
  const BlockGradients frozen;
  const BlockGradients& own = input.gradients != nullptr ? *input.gradients : frozen;
  const int64_t rows = x.rows;
  auto& a = activations;

  // out = middle + down(activation(ffn_in)).
  const Matrix dwidth = scratch.width_like.as(rows, config.width);
  {
    const Matrix active = a.active.as(rows, config.ffn);
    const Matrix dactive = scratch.ffn_like.as(rows, config.ffn);
    layer.backward(Linear::kDown, active, d, dactive, /*accumulate=*/false);
    activate_backward(layer, a.ffn_in.as(rows, config.width), dactive, a, dwidth);
  }
  normalise_backward(config, ops, a.middle.as(rows, config.width),
                     {weights.ffn_norm, a.ffn_rms.data(), own.ffn_norm, own.ffn_norm_bias}, dwidth,
                     d);

  // middle = x + o(attention(q, k, v)).
  const Matrix attended = a.attended.as(rows, config.inputs(Linear::kO));
  const Matrix dattended = scratch.attended_like.as(rows, attended.cols);
  layer.backward(Linear::kO, attended, d, dattended, /*accumulate=*/false);
  const Matrix dv = scratch.dv.as(rows, config.outputs(Linear::kV));
  const Matrix dq = scratch.dq.as(rows, config.outputs(Linear::kQ));
  const Matrix dk = scratch.dk.as(rows, config.outputs(Linear::kK));
  ops.attention_backward(a.q.as(rows, dq.cols), a.k.as(rows, dk.cols), a.v.as(rows, dv.cols),
                         attended, a.attended_lse.as(rows, config.heads), dattended,
                         input.segment_starts, config.attention(), dq, dk, dv);

  const Matrix dq_raw =
      unrotate(layer, dq, weights.q_norm, own.q_norm, a.q_raw, a.q_rms, scratch.dq_raw);
  const Matrix dk_raw =
      unrotate(layer, dk, weights.k_norm, own.k_norm, a.k_raw, a.k_rms, scratch.dk_raw);
  const Matrix attention_in = a.attention_in.as(rows, config.width);
  const bool down_to_norm = input.input_gradient || own.attention_norm != nullptr;
  const Matrix dnormed = down_to_norm ? dwidth : Matrix{};
  layer.backward(Linear::kQ, attention_in, dq_raw, dnormed, /*accumulate=*/false);
  layer.backward(Linear::kK, attention_in, dk_raw, dnormed, /*accumulate=*/true);
  layer.backward(Linear::kV, attention_in, dv, dnormed, /*accumulate=*/true);
  if (!down_to_norm) return;
  normalise_backward(
      config, ops, x,
      {weights.attention_norm, a.attention_rms.data(), own.attention_norm, own.attention_norm_bias},
      dwidth, d);
}

}  // namespace plinth::train
