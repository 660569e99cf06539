#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "core/pages.h"
#include "model/model.h"
#include "tensor/quant/panels.h"

namespace plinth::model {
namespace {

using tensor::DType;
using tensor::kBlock;
using tensor::Weight;

// What an adapter's matrices become over a base: no narrower than the widest of its layers, so that
// they are rounded no more coarsely than what they are added to. Quantised layers count as Q8_0,
// whatever their bits (docs/decisions/0043-adapters-in-eight-bits.md).
DType stored_over(const Model& base) {
  DType type = DType::kQ8_0;
  for (const auto& layer : base.weights().layers) {
    for (const auto& weight : layer.linear) {
      if (weight.empty() || tensor::is_quantised(weight.type)) continue;
      if (weight.type == DType::kF32) return DType::kF32;
      type = DType::kF16;
    }
  }
  return type;
}

// How a matrix will lie.
struct Form {
  DType type;
  int64_t rows, cols;
  bool turned = false;
  int panel = 0;

  // Of whole cache lines.
  int64_t bytes() const {
    const auto size = tensor::interleaved_bytes(type, rows, cols, std::max(1, panel));
    return (static_cast<int64_t>(size) + 63) / 64 * 64;
  }
};

Form as_stored(const Weight& w) {
  return {w.type, w.rows, w.cols};
}

// Times a power of two that brings the largest magnitude into [2^exponent, 2^(exponent + 1)), so
// that neither end of F16's range is met; that power is taken out of `scale`.
void bring_to(int exponent, std::vector<float>& values, float& scale) {
  float most = 0;
  for (const float v : values) most = std::max(most, std::abs(v));
  if (most == 0 || !std::isfinite(most)) return;
  const int shift = exponent - std::ilogb(most);
  const double factor = std::ldexp(1.0, shift);
  for (float& v : values) v = static_cast<float>(v * factor);
  scale = std::ldexp(scale, -shift);
}

// B [outputs, rank] as LowRankSegment's turned one.
std::vector<float> turned(const std::vector<float>& values, int64_t outputs, int64_t rank) {
  std::vector<float> out(values.size());
  for (int64_t n = 0; n < outputs; ++n)
    for (int64_t r = 0; r < rank; ++r)
      out[static_cast<size_t>((n / kBlock * rank + r) * kBlock + n % kBlock)] =
          values[static_cast<size_t>(n * rank + r)];
  return out;
}

// The values of a matrix as floats that `type` can hold. Blocks can't hold what is not finite:
// then the delta's scale says NaN, and so does every row that it is added to.
std::vector<float> values_for(DType type, const Weight& w, float& scale) {
  std::vector<float> values(static_cast<size_t>(w.rows * w.cols));
  tensor::to_f32(w.data, w.type, w.rows * w.cols, values.data());
  if (type == DType::kQ8_0 &&
      !std::ranges::all_of(values, [](float v) { return std::isfinite(v); })) {
    std::ranges::fill(values, 0.0f);
    scale = std::numeric_limits<float>::quiet_NaN();
  }
  bring_to(type == DType::kQ8_0 ? 14 : 0, values, scale);
  return values;
}

class Copier {
 public:
  Copier(DType type, int panel) : type_(type), panel_(panel) {}

  int64_t bytes(const LowRank& delta) const {
    return delta.empty() ? 0 : form_of_a(delta.a).bytes() + form_of_b(delta.b).bytes();
  }

  static int64_t plain_bytes(const LowRank& delta) {
    return delta.empty() ? 0 : as_stored(delta.a).bytes() + as_stored(delta.b).bytes();
  }

  // Copies go there, one after the other.
  void write_to(std::byte* memory) { next_ = memory; }

  void copy(LowRank& delta) {
    if (delta.empty()) return;
    const Form a = form_of_a(delta.a);
    const Form b = form_of_b(delta.b);
    delta.a = place(delta.a, a, delta.scale);
    delta.b = place(delta.b, b, delta.scale);
    delta.turned = b.turned;
  }

  // The embedding is looked up row by row, not multiplied: it stays as it is.
  void copy_plain(LowRank& delta) {
    if (delta.empty()) return;
    delta.a = place(delta.a, as_stored(delta.a), delta.scale);
    delta.b = place(delta.b, as_stored(delta.b), delta.scale);
  }

 private:
  // Of a matrix whose long side, along which blocks lie, is `length`.
  DType reduced(DType type, int64_t length) const {
    if (tensor::is_quantised(type)) return type;
    if (type_ == DType::kQ8_0 && length % kBlock == 0) return type_;
    return type == DType::kF32 && type_ != DType::kF32 ? DType::kF16 : type;
  }

  Form form_of_a(const Weight& a) const { return {reduced(a.type, a.cols), a.rows, a.cols}; }

  // Quantised here, blocks lie along the outputs: ranks are too short for them.
  Form form_of_b(const Weight& b) const {
    const DType type = reduced(b.type, b.rows);
    if (tensor::is_quantised(b.type)) return as_stored(b);
    if (tensor::is_quantised(type))
      return {type, b.rows / kBlock, b.cols * kBlock, /*turned=*/true};
    return {type, b.rows, b.cols, /*turned=*/false, panel_};
  }

  Weight place(Weight w, const Form& form, float& scale) {
    std::byte* const to = std::exchange(next_, next_ + form.bytes());
    std::vector<std::byte> memory;
    if (w.type != form.type) {
      std::vector<float> values = values_for(form.type, w, scale);
      if (form.turned) values = turned(values, w.rows, w.cols);
      memory.resize(values.size() / static_cast<size_t>(form.cols) *
                    tensor::row_bytes(form.type, form.cols));
      tensor::from_f32(values.data(), std::ssize(values), form.type, memory.data());
      w = {memory.data(), form.type, form.rows, form.cols};
    }
    if (form.panel != 0) return tensor::interleave(w, form.panel, to);
    std::memcpy(to, w.data, static_cast<size_t>(w.rows) * tensor::row_bytes(w.type, w.cols));
    w.data = to;
    return w;
  }

  DType type_;
  int panel_;
  std::byte* next_ = nullptr;
};

}  // namespace

Result<std::shared_ptr<const Adapter>> interleaved(const Adapter& adapter, const Model& base,
                                                   const tensor::Ops& ops) {
  Copier copier(stored_over(base), ops.low_rank_panel());
  auto copy = std::make_shared<Adapter>();
  copy->name = adapter.name;
  copy->digest = adapter.digest;
  copy->layers = adapter.layers;
  copy->embedding = adapter.embedding;
  copy->head = adapter.head;
  int64_t bytes = 0;
  for (LowRank* delta : delta_places(*copy))
    bytes += delta == &copy->embedding ? Copier::plain_bytes(*delta) : copier.bytes(*delta);
  auto pages = std::make_shared<Pages>();
  PLINTH_TRY(*pages, Pages::allocate(static_cast<size_t>(bytes)));
  copier.write_to(pages->data());
  for (LowRank* delta : delta_places(*copy))
    delta == &copy->embedding ? copier.copy_plain(*delta) : copier.copy(*delta);
  copy->storage = std::move(pages);
  return std::shared_ptr<const Adapter>(std::move(copy));
}

}  // namespace plinth::model
