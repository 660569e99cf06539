#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "core/pages.h"
#include "model/model.h"
#include "tensor/quant/panels.h"

namespace plinth::model {
namespace {

using tensor::DType;
using tensor::Weight;

int64_t bytes_of(const Weight& w) {
  return w.rows * static_cast<int64_t>(tensor::row_bytes(w.type, w.cols));
}

// Of any matrix of an adapter in its last form, on a cache line of its own.
int64_t room_for(const Weight& w, int panel) {
  const int64_t rows = panel == 0 ? w.rows : (w.rows + panel - 1) / panel * panel;
  return (rows * static_cast<int64_t>(tensor::row_bytes(w.type, w.cols)) + 63) / 64 * 64;
}

// F32 as F16, times a power of two that brings the largest magnitude into [1, 2), so that neither
// end of F16's range is met; that power is taken out of `scale`.
Weight narrowed(const Weight& w, float& scale, std::vector<std::byte>& memory) {
  const auto n = static_cast<size_t>(w.rows * w.cols);
  std::vector<float> values(n);
  std::memcpy(values.data(), w.data, n * sizeof(float));  // not necessarily aligned
  float most = 0;
  for (const float v : values) most = std::max(most, std::abs(v));
  if (most > 0 && std::isfinite(most)) {
    const int shift = -std::ilogb(most);
    for (float& v : values) v = std::ldexp(v, shift);
    scale = std::ldexp(scale, -shift);
  }
  memory.resize(n * 2);
  tensor::from_f32(values.data(), static_cast<int64_t>(n), DType::kF16, memory.data());
  return {memory.data(), DType::kF16, w.rows, w.cols};
}

class Copier {
 public:
  Copier(bool narrow, int panel, Pages& pages) : narrow_(narrow), panel_(panel), pages_(pages) {}

  // The embedding is looked up row by row, not multiplied: it stays as it is.
  LowRank copy_plain(const LowRank& from) {
    if (from.empty()) return from;
    LowRank to = from;
    to.a = place(from.a, 0);
    to.b = place(from.b, 0);
    return to;
  }

  LowRank copy(const LowRank& from) {
    if (from.empty()) return from;
    LowRank to = from;
    to.a = place(narrow(from.a, to.scale), 0);
    const Weight b = narrow(from.b, to.scale);
    to.b = place(b, tensor::is_quantised(b.type) ? 0 : panel_);
    return to;
  }

 private:
  Weight narrow(const Weight& w, float& scale) {
    return narrow_ && w.type == DType::kF32 ? narrowed(w, scale, memory_) : w;
  }

  Weight place(Weight w, int panel) {
    std::byte* to = pages_.data() + used_;
    used_ += room_for(w, panel);
    if (panel != 0) return tensor::interleave(w, panel, to);
    std::memcpy(to, w.data, static_cast<size_t>(bytes_of(w)));
    w.data = to;
    return w;
  }

  bool narrow_;
  int panel_;
  Pages& pages_;
  int64_t used_ = 0;
  std::vector<std::byte> memory_;
};

// Does every matrix of the base's layers take 16 bits an element or less?
bool narrow_base(const Model& base) {
  for (const auto& layer : base.weights().layers) {
    for (const auto& weight : layer.linear)
      if (!weight.empty() && weight.type == DType::kF32) return false;
  }
  return true;
}

}  // namespace

Result<std::shared_ptr<const Adapter>> interleaved(const Adapter& adapter, const Model& base,
                                                   const tensor::Ops& ops) {
  const int panel = ops.low_rank_panel();
  int64_t room = 0;
  for (const LowRank* delta : delta_places(adapter))
    if (!delta->empty()) room += room_for(delta->a, 0) + room_for(delta->b, panel);
  auto pages = std::make_shared<Pages>();
  PLINTH_TRY(*pages, Pages::allocate(static_cast<size_t>(room)));
  Copier copier(narrow_base(base), panel, *pages);
  auto copy = std::make_shared<Adapter>();
  copy->name = adapter.name;
  copy->digest = adapter.digest;
  copy->layers = adapter.layers;
  copy->head = adapter.head;
  copy->embedding = copier.copy_plain(adapter.embedding);
  for (LowRank* delta : delta_places(*copy))
    if (delta != &copy->embedding) *delta = copier.copy(*delta);
  copy->storage = std::move(pages);
  return std::shared_ptr<const Adapter>(std::move(copy));
}

}  // namespace plinth::model
