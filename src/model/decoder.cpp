#include "model/decoder.h"

#include <algorithm>
#include <cstring>

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

// The block's linear layers with everything that hangs on them: bias before, adapter after.
struct Layer {
  const BlockInput& input;
  const LayerWeights& weights;

  void apply(Linear which, ConstMatrix x, Matrix y, bool accumulate = false) const {
    const auto i = static_cast<size_t>(which);
    const float* bias = i < weights.qkv_bias.size() ? weights.qkv_bias[i] : nullptr;
    if (bias != nullptr) fill_rows(bias, y);
    input.ops->linear(x, weights.linear[i], y, accumulate || bias != nullptr);
    if (input.adapters != nullptr) input.adapters->add(input.layer, which, x, y);
  }
};

// q and k: projection, norm over each head where the architecture has one, rotation.
void project_rotated(const Layer& layer, Linear which, ConstMatrix x, const float* gain,
                     tensor::Buffer& raw, tensor::Buffer& rms, tensor::Buffer& out) {
  const auto& config = layer.input.model->config();
  const auto& ops = *layer.input.ops;
  const int64_t cols = config.outputs(which);
  const Matrix y = out.as(x.rows, cols);
  if (gain == nullptr) {
    layer.apply(which, x, y);
  } else {
    const int64_t heads = cols / config.head_dim;
    layer.apply(which, x, raw.as(x.rows, cols));
    rms.resize(x.rows * heads);
    ops.rms_norm(raw.as(x.rows * heads, config.head_dim), gain, config.rms_eps,
                 tensor::matrix(y.data, x.rows * heads, config.head_dim), rms.data());
  }
  ops.rope(y, layer.input.positions, layer.input.model->rope(), /*inverse=*/false);
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

void block_forward(const BlockInput& input, ConstMatrix x, Activations& activations, Matrix out) {
  const auto& config = input.model->config();
  const auto& ops = *input.ops;
  const auto& weights = input.model->weights().layers[static_cast<size_t>(input.layer)];
  const Layer layer{input, weights};
  const int64_t rows = x.rows;
  auto& a = activations;

  a.attention_rms.resize(rows);
  const Matrix attention_in = a.attention_in.as(rows, config.width);
  ops.rms_norm(x, weights.attention_norm, config.rms_eps, attention_in, a.attention_rms.data());
  project_rotated(layer, Linear::kQ, attention_in, weights.q_norm, a.q_raw, a.q_rms, a.q);
  project_rotated(layer, Linear::kK, attention_in, weights.k_norm, a.k_raw, a.k_rms, a.k);
  layer.apply(Linear::kV, attention_in, a.v.as(rows, config.outputs(Linear::kV)));

  const Matrix attended = a.attended.as(rows, config.inputs(Linear::kO));
  input.attention->attend(input.layer, a, rows);

  const Matrix middle = a.middle.as(rows, config.width);
  copy_rows(x, middle);
  layer.apply(Linear::kO, attended, middle, /*accumulate=*/true);

  a.ffn_rms.resize(rows);
  const Matrix ffn_in = a.ffn_in.as(rows, config.width);
  ops.rms_norm(middle, weights.ffn_norm, config.rms_eps, ffn_in, a.ffn_rms.data());
  const Matrix gate = a.gate.as(rows, config.ffn);
  const Matrix up = a.up.as(rows, config.ffn);
  const Matrix active = a.active.as(rows, config.ffn);
  layer.apply(Linear::kGate, ffn_in, gate);
  layer.apply(Linear::kUp, ffn_in, up);
  ops.swiglu(gate, up, active);

  copy_rows(middle, out);
  layer.apply(Linear::kDown, active, out, /*accumulate=*/true);
}

}  // namespace plinth::model
