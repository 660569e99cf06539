// ref_ops(): the templates of this folder in float.
#include <vector>

#include "tensor/ops.h"
#include "tensor/quant/layout.h"
#include "tensor/ref/attention.h"
#include "tensor/ref/layers.h"
#include "tensor/ref/linear.h"
#include "tensor/ref/training.h"
#include "tensor/ref/view.h"

namespace plinth::tensor {
namespace {

using ref::view;

// A stored weight as floats, with its view.
struct Decoded {
  explicit Decoded(Weight w) : values(static_cast<size_t>(w.rows * w.cols)), shape(w) {
    std::vector<uint8_t> scratch;
    for (int64_t r = 0; r < w.rows; ++r)
      to_f32(w.row(r, scratch), w.type, w.cols, values.data() + r * w.cols);
  }

  ref::View<const float> view() const {
    return {values.data(), shape.rows, shape.cols, shape.cols};
  }

  // [N, rank] from the turned B of a LowRankSegment.
  Decoded turned_back() const {
    Decoded other = *this;
    const int64_t rank = shape.cols / kBlock;
    other.shape.rows = shape.rows * kBlock;
    other.shape.cols = rank;
    for (int64_t n = 0; n < other.shape.rows; ++n)
      for (int64_t r = 0; r < rank; ++r)
        other.values[static_cast<size_t>(n * rank + r)] =
            values[static_cast<size_t>((n / kBlock * rank + r) * kBlock + n % kBlock)];
    return other;
  }

  std::vector<float> values;
  Weight shape;
};

int panel(DType) {
  return 0;
}

void linear(ConstMatrix x, Weight w, Matrix y, bool accumulate) {
  const Decoded decoded(w);
  ref::linear(view(x), decoded.view(), view(y), accumulate);
}

int low_rank_panel() {
  return 0;
}

void low_rank(ConstMatrix x, std::span<const LowRankSegment> segments) {
  for (const LowRankSegment& s : segments) {
    const Decoded a(s.a);
    const Decoded b = s.turned ? Decoded(s.b).turned_back() : Decoded(s.b);
    ref::low_rank(view(x.slice(s.begin, s.rows)), a.view(), b.view(), s.scale,
                  view(s.y.slice(s.begin, s.rows)));
  }
}

void linear_shared(ConstMatrix x, std::span<const LinearOutput> outputs) {
  for (const auto& output : outputs) linear(x, output.w, output.y, output.accumulate);
}

void linear_dx(ConstMatrix dy, Weight w, Matrix dx, bool accumulate) {
  const Decoded decoded(w);
  ref::linear_dx(view(dy), decoded.view(), view(dx), accumulate);
}

void linear_dw(ConstMatrix dy, ConstMatrix x, Matrix dw, bool accumulate) {
  ref::linear_dw(view(dy), view(x), view(dw), accumulate);
}

void rms_norm(ConstMatrix x, const float* gain, float eps, Matrix y, float* inverse_rms) {
  ref::rms_norm(view(x), gain, eps, view(y), inverse_rms);
}

void rms_norm_backward(ConstMatrix x, const float* gain, const float* inverse_rms, ConstMatrix dy,
                       Matrix dx, float* dgain) {
  ref::rms_norm_backward(view(x), gain, inverse_rms, view(dy), view(dx), dgain);
}

void layer_norm(ConstMatrix x, const float* gain, const float* bias, float eps, Matrix y) {
  ref::layer_norm(view(x), gain, bias, eps, view(y));
}

void layer_norm_backward(ConstMatrix x, const float* gain, float eps, ConstMatrix dy, Matrix dx,
                         float* dgain, float* dbias) {
  ref::layer_norm_backward(view(x), gain, eps, view(dy), view(dx), dgain, dbias);
}

void rope(Matrix x, std::span<const int32_t> positions, const Rope& how, bool inverse) {
  ref::rope(view(x), positions, how, inverse);
}

void swiglu(ConstMatrix gate, ConstMatrix up, Matrix y) {
  ref::swiglu(view(gate), view(up), view(y));
}

void swiglu_backward(ConstMatrix gate, ConstMatrix up, ConstMatrix dy, Matrix dgate, Matrix dup) {
  ref::swiglu_backward(view(gate), view(up), view(dy), view(dgate), view(dup));
}

void gelu(ConstMatrix x, Matrix y) {
  ref::gelu(view(x), view(y));
}

void gelu_backward(ConstMatrix x, ConstMatrix dy, Matrix dx) {
  ref::gelu_backward(view(x), view(dy), view(dx));
}

void attention(ConstMatrix q, ConstMatrix k, ConstMatrix v, std::span<const int32_t> starts,
               const AttentionShape& shape, Matrix y, Matrix lse) {
  ref::attention(view(q), view(k), view(v), starts, shape, view(y), view(lse));
}

void attention_backward(ConstMatrix q, ConstMatrix k, ConstMatrix v, ConstMatrix y, ConstMatrix lse,
                        ConstMatrix dy, std::span<const int32_t> starts,
                        const AttentionShape& shape, Matrix dq, Matrix dk, Matrix dv) {
  ref::attention_backward(view(q), view(k), view(v), view(y), view(lse), view(dy), starts, shape,
                          view(dq), view(dk), view(dv));
}

void store_kv(ConstMatrix k, ConstMatrix v, std::span<const int32_t* const> tables,
              std::span<const int32_t> positions, const AttentionShape& shape, PagedKv kv) {
  ref::store_kv(view(k), view(v), tables, positions, shape, kv);
}

void paged_attention(ConstMatrix q, std::span<const int32_t* const> tables,
                     std::span<const int32_t> positions, const AttentionShape& shape, PagedKv kv,
                     Matrix y) {
  ref::paged_attention(view(q), tables, positions, shape, kv, view(y));
}

void embed(std::span<const int32_t> tokens, Weight table, Matrix y) {
  std::vector<uint8_t> scratch;
  for (size_t r = 0; r < tokens.size(); ++r)
    to_f32(table.row(tokens[r], scratch), table.type, table.cols, y.row(static_cast<int64_t>(r)));
}

void embed_backward(std::span<const int32_t> tokens, ConstMatrix dy, Matrix dtable) {
  ref::embed_backward(tokens, view(dy), view(dtable));
}

void cross_entropy(Matrix logits, std::span<const int32_t> targets, std::span<const float> weights,
                   std::span<float> losses) {
  ref::cross_entropy(view(logits), targets, weights, losses);
}

void log_probability(ConstMatrix logits, std::span<const int32_t> targets, std::span<float> out) {
  ref::log_probability(view(logits), targets, out);
}

void exp_sums(std::span<const float> x, float peak, float scale, std::span<float> sums) {
  std::vector<double> totals(sums.size());
  for (size_t i = 0; i < x.size(); ++i)
    totals[i / kExpSums] += std::exp(double{scale} * (double{x[i]} - double{peak}));
  for (size_t i = 0; i < sums.size(); ++i) sums[i] = static_cast<float>(totals[i]);
}

}  // namespace

const Ops& ref_ops() {
  static constexpr Ops ops{
      .name = "ref",
      .panel = panel,
      .linear = linear,
      .linear_shared = linear_shared,
      .low_rank_panel = low_rank_panel,
      .low_rank = low_rank,
      .linear_dx = linear_dx,
      .linear_dw = linear_dw,
      .rms_norm = rms_norm,
      .rms_norm_backward = rms_norm_backward,
      .layer_norm = layer_norm,
      .layer_norm_backward = layer_norm_backward,
      .rope = rope,
      .swiglu = swiglu,
      .swiglu_backward = swiglu_backward,
      .gelu = gelu,
      .gelu_backward = gelu_backward,
      .attention = attention,
      .attention_backward = attention_backward,
      .store_kv = store_kv,
      .paged_attention = paged_attention,
      .embed = embed,
      .embed_backward = embed_backward,
      .cross_entropy = cross_entropy,
      .log_probability = log_probability,
      .exp_sums = exp_sums,
      .axpy = ref::axpy<float>,
      .sum_of_squares = ref::sum_of_squares<float>,
      .adamw = ref::adamw<float>,
  };
  return ops;
}

}  // namespace plinth::tensor
