#include "model/decoder.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <initializer_list>
#include <utility>

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
    std::array<LinearResult, 3> results;
    size_t count = 0;
    for (const auto& [which, y, accumulate] : parts) {
      const auto i = static_cast<size_t>(which);
      const float* bias = weights.bias[i];
      if (bias != nullptr) accumulate ? add_rows(*input.ops, bias, y) : fill_rows(bias, y);
      results[count] = {which, y};
      outputs[count++] = {weights.linear[i], y, accumulate || bias != nullptr};
    }
    input.ops->linear_shared(x, std::span(outputs).first(count));
    if (input.adapters != nullptr)
      input.adapters->add_shared(input.layer, x, std::span(results).first(count));
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

// active = what goes into the down projection, from up and gate.
void activate(const Layer& layer, int64_t rows, Activations& a) {
  const auto& config = layer.input.model->config();
  const Matrix up = a.up.as(rows, config.ffn);
  const Matrix active = a.active.as(rows, config.ffn);
  if (config.ffn_kind == FfnKind::kGelu) {
    layer.input.ops->gelu(up, active);
  } else {
    layer.input.ops->swiglu(a.gate.as(rows, config.ffn), up, active);
  }
}

void project_up(const Layer& layer, ConstMatrix x, Activations& a) {
  const auto& config = layer.input.model->config();
  const Matrix up = a.up.as(x.rows, config.ffn);
  if (config.ffn_kind == FfnKind::kGelu) return layer.apply(x, {{Linear::kUp, up}});
  layer.apply(x, {{Linear::kUp, up}, {Linear::kGate, a.gate.as(x.rows, config.ffn)}});
}

Matrix norm_before_attention(const Layer& layer, ConstMatrix x, Activations& a) {
  const auto& config = layer.input.model->config();
  a.attention_rms.resize(x.rows);
  const Matrix y = a.attention_in.as(x.rows, config.width);
  normalise(config, *layer.input.ops, x, layer.weights.attention_norm,
            layer.weights.attention_norm_bias, y, a.attention_rms.data());
  return y;
}

Matrix norm_before_ffn(const Layer& layer, ConstMatrix middle, Activations& a) {
  const auto& config = layer.input.model->config();
  a.ffn_rms.resize(middle.rows);
  const Matrix y = a.ffn_in.as(middle.rows, config.width);
  normalise(config, *layer.input.ops, middle, layer.weights.ffn_norm, layer.weights.ffn_norm_bias,
            y, a.ffn_rms.data());
  return y;
}

Layer layer_of(const BlockInput& input) {
  return {input, input.model->weights().layers[static_cast<size_t>(input.layer)]};
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

void Activations::exchange_restorable(Activations& other) {
  std::swap(attention_in, other.attention_in);
  std::swap(ffn_in, other.ffn_in);
  std::swap(active, other.active);
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

void add_embedding_delta(const tensor::Ops& ops, const LowRank& delta,
                         std::span<const int32_t> tokens, Matrix x) {
  if (delta.empty() || tokens.empty()) return;
  tensor::Buffer gathered;
  const Matrix low = gathered.as(x.rows, delta.rank);
  const auto* rows = static_cast<const float*>(delta.a.data);
  for (size_t r = 0; r < tokens.size(); ++r) {
    const float* row = rows + static_cast<int64_t>(tokens[r]) * delta.rank;
    float* out = low.row(static_cast<int64_t>(r));
    for (int64_t k = 0; k < delta.rank; ++k) out[k] = delta.scale * row[k];
  }
  ops.linear(low, delta.b, x, /*accumulate=*/true);
}

void final_norm(const Model& model, const tensor::Ops& ops, ConstMatrix x, Matrix y,
                float* inverse_rms) {
  const auto& weights = model.weights();
  normalise(model.config(), ops, x, weights.final_norm, weights.final_norm_bias, y, inverse_rms);
}

void block_forward(const BlockInput& input, ConstMatrix x, Activations& activations, Matrix out) {
  const auto& config = input.model->config();
  const Layer layer = layer_of(input);
  const auto& weights = layer.weights;
  const int64_t rows = x.rows;
  auto& a = activations;

  const Matrix attention_in = norm_before_attention(layer, x, a);
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

  project_up(layer, norm_before_ffn(layer, middle, a), a);
  activate(layer, rows, a);
  if (out.data == nullptr) return;
  copy_rows(middle, out);
  layer.apply(a.active.as(rows, config.ffn), {{Linear::kDown, out, /*accumulate=*/true}});
}

void restore_block(const BlockInput& input, ConstMatrix x, Activations& activations) {
  const Layer layer = layer_of(input);
  norm_before_attention(layer, x, activations);
  norm_before_ffn(layer, activations.middle.as(x.rows, input.model->config().width), activations);
  activate(layer, x.rows, activations);
}

}  // namespace plinth::model
