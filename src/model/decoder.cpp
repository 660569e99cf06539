#include "model/decoder.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <initializer_list>

#include "core/threads.h"

namespace plinth::model {
namespace {

using tensor::ConstMatrix;
using tensor::Matrix;

// Rows per range of the copies below: some 64 KiB, so that a range outweighs its dispatch.
int64_t copy_grain(int64_t cols) {
  return std::max<int64_t>(1, 16384 / std::max<int64_t>(1, cols));
}

void copy_rows(ConstMatrix from, Matrix to) {
  compute_pool().parallel_for(
      from.rows, copy_grain(from.cols), [&](int64_t begin, int64_t end, int) {
        for (int64_t r = begin; r < end; ++r)
          std::memmove(to.row(r), from.row(r), static_cast<size_t>(from.cols) * sizeof(float));
      });
}

void fill_rows(const float* bias, Matrix to) {
  compute_pool().parallel_for(to.rows, copy_grain(to.cols), [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin; r < end; ++r)
      std::memcpy(to.row(r), bias, static_cast<size_t>(to.cols) * sizeof(float));
  });
}

void add_rows(const tensor::Ops& ops, const float* bias, Matrix to) {
  const auto cols = static_cast<size_t>(to.cols);
  for (int64_t r = 0; r < to.rows; ++r) ops.axpy(1.0f, {bias, cols}, {to.row(r), cols});
}

// y = norm(x) with the gain and, for LayerNorm, the bias of one place.
void normalise(const ModelConfig& config, const tensor::Ops& ops, ConstMatrix x, const float* gain,
               const float* bias, Matrix y, float* inverse_rms) {
  if (config.norm == NormKind::kLayer) {
    ops.layer_norm(x, gain, bias, config.norm_eps, y);
  } else {
    ops.rms_norm(x, gain, config.norm_eps, y, inverse_rms);
  }
}

// The block's linear layers with everything that hangs on them: bias before, adapter after.
struct Layer {
  const BlockInput& input;
  const LayerWeights& weights;

  struct Part {
    Linear which;
    Matrix y;
    bool accumulate = false;
  };

  // Layers that have x in common.
  void apply(ConstMatrix x, std::initializer_list<Part> parts) const {
    std::array<tensor::LinearOutput, 3> outputs;
    size_t count = 0;
    for (const auto& [which, y, accumulate] : parts) {
      const auto i = static_cast<size_t>(which);
      const float* bias = weights.bias[i];
      if (bias != nullptr) accumulate ? add_rows(*input.ops, bias, y) : fill_rows(bias, y);
      outputs[count++] = {weights.linear[i], y, accumulate || bias != nullptr};
    }
    input.ops->linear_shared(x, std::span(outputs).first(count));
    if (input.adapters == nullptr) return;
    for (const auto& part : parts) input.adapters->add(input.layer, part.which, x, part.y);
  }
};

// What comes between the projection of q or k and attention: norm over each head (with a gain) and
// rotation, in the architecture's order. Without a gain `projected` is y.
void rotate_projected(const Layer& layer, Matrix projected, const float* gain, tensor::Buffer& rms,
                      Matrix y) {
  const auto& config = layer.input.model->config();
  const auto& ops = *layer.input.ops;
  const auto rotate = [&](Matrix heads) {
    if (config.rotates(layer.input.layer))
      ops.rope(heads, layer.input.positions, layer.input.model->rope(), /*inverse=*/false);
  };

  if (gain == nullptr) return rotate(y);
  if (config.qk_norm_after_rope) rotate(projected);
  const int64_t heads = y.rows * (y.cols / config.head_dim);
  rms.resize(heads);
  ops.rms_norm(tensor::matrix(projected.data, heads, config.head_dim), gain, config.norm_eps,
               tensor::matrix(y.data, heads, config.head_dim), rms.data());
  if (!config.qk_norm_after_rope) rotate(y);
}

// active = what goes into the down projection.
void activate(const Layer& layer, ConstMatrix x, Activations& a) {
  const auto& config = layer.input.model->config();
  const Matrix up = a.up.as(x.rows, config.ffn);
  const Matrix active = a.active.as(x.rows, config.ffn);
  if (config.ffn_kind == FfnKind::kGelu) {
    layer.apply(x, {{Linear::kUp, up}});
    return layer.input.ops->gelu(up, active);
  }
  const Matrix gate = a.gate.as(x.rows, config.ffn);
  layer.apply(x, {{Linear::kUp, up}, {Linear::kGate, gate}});
  layer.input.ops->swiglu(gate, up, active);
}

}  // namespace

int64_t Activations::bytes() const {
  int64_t floats = 0;
  for (const auto* buffer :
       {&attention_in, &attention_rms, &q_raw, &k_raw, &q_rms, &k_rms, &q, &k, &v, &attended,
        &attended_lse, &middle, &ffn_in, &ffn_rms, &gate, &up, &active})
    floats += buffer->size();
  return floats * static_cast<int64_t>(sizeof(float));
}

void embed_tokens(const Model& model, const tensor::Ops& ops, std::span<const int32_t> tokens,
                  std::span<const int32_t> positions, Matrix x) {
  ops.embed(tokens, model.weights().embedding, x);
  const float* table = model.weights().position_table;
  if (table == nullptr) return;
  const auto width = static_cast<size_t>(x.cols);
  for (size_t r = 0; r < positions.size(); ++r)
    ops.axpy(1.0f, {table + static_cast<size_t>(positions[r]) * width, width},
             {x.row(static_cast<int64_t>(r)), width});
}

void final_norm(const Model& model, const tensor::Ops& ops, ConstMatrix x, Matrix y,
                float* inverse_rms) {
  const auto& weights = model.weights();
  normalise(model.config(), ops, x, weights.final_norm, weights.final_norm_bias, y, inverse_rms);
}

void block_forward(const BlockInput& input, ConstMatrix x, Activations& activations, Matrix out) {
  const auto& config = input.model->config();
  const auto& ops = *input.ops;
  const auto& weights = input.model->weights().layers[static_cast<size_t>(input.layer)];
  const Layer layer{input, weights};
  const int64_t rows = x.rows;
  auto& a = activations;

  a.attention_rms.resize(rows);
  const Matrix attention_in = a.attention_in.as(rows, config.width);
  normalise(config, ops, x, weights.attention_norm, weights.attention_norm_bias, attention_in,
            a.attention_rms.data());
  const Matrix q = a.q.as(rows, config.outputs(Linear::kQ));
  const Matrix k = a.k.as(rows, config.outputs(Linear::kK));
  const Matrix q_raw = weights.q_norm != nullptr ? a.q_raw.as(rows, q.cols) : q;
  const Matrix k_raw = weights.k_norm != nullptr ? a.k_raw.as(rows, k.cols) : k;
  const Matrix v = a.v.as(rows, config.outputs(Linear::kV));
  layer.apply(attention_in, {{Linear::kQ, q_raw}, {Linear::kK, k_raw}, {Linear::kV, v}});
  rotate_projected(layer, q_raw, weights.q_norm, a.q_rms, q);
  rotate_projected(layer, k_raw, weights.k_norm, a.k_rms, k);

  const Matrix attended = a.attended.as(rows, config.inputs(Linear::kO));
  input.attention->attend(input.layer, a, rows);

  const Matrix middle = a.middle.as(rows, config.width);
  copy_rows(x, middle);
  layer.apply(attended, {{Linear::kO, middle, /*accumulate=*/true}});

  a.ffn_rms.resize(rows);
  const Matrix ffn_in = a.ffn_in.as(rows, config.width);
  normalise(config, ops, middle, weights.ffn_norm, weights.ffn_norm_bias, ffn_in, a.ffn_rms.data());
  activate(layer, ffn_in, a);

  copy_rows(middle, out);
  layer.apply(a.active.as(rows, config.ffn), {{Linear::kDown, out, /*accumulate=*/true}});
}

}  // namespace plinth::model
