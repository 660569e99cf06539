#include <memory>
#include <utility>
#include <vector>

#include "core/pages.h"
#include "model/loader.h"
#include "tensor/quant/panels.h"

namespace plinth::model {
namespace {

// What the new weights point into, and all that the others still do.
struct Storage {
  std::shared_ptr<const void> of_model;
  std::vector<Pages> pages;
};

class Interleaver {
 public:
  Interleaver(const tensor::Ops& ops, std::span<const std::byte> mapped)
      : ops_(ops), mapped_(mapped) {}

  Status replace(tensor::Weight& weight) {
    if (weight.empty() || weight.panel != 0) return {};
    const int height = ops_.panel(weight.type);
    if (height == 0) return {};
    PLINTH_TRY(auto pages, Pages::allocate(tensor::interleaved_bytes(weight.type, weight.rows,
                                                                     weight.cols, height)));
    const tensor::Weight from =
        std::exchange(weight, tensor::interleave(weight, height, pages.data()));
    pages_.push_back(std::move(pages));
    forget(from);
    return {};
  }

  std::vector<Pages> take() { return std::move(pages_); }

 private:
  void forget(const tensor::Weight& weight) const {
    const auto* data = static_cast<const std::byte*>(weight.data);
    if (data >= mapped_.data() && data < mapped_.data() + mapped_.size())
      forget_pages(
          {data, tensor::row_bytes(weight.type, weight.cols) * static_cast<size_t>(weight.rows)});
  }

  const tensor::Ops& ops_;
  std::span<const std::byte> mapped_;
  std::vector<Pages> pages_;
};

}  // namespace

Result<std::shared_ptr<const Model>> interleaved(std::shared_ptr<const Model> model,
                                                 const tensor::Ops& ops) {
  ModelParts parts = Loader::parts(*model);
  Interleaver interleaver(ops, parts.mapped);
  auto& weights = parts.weights;
  // An embedding that is not the head is read by single rows: as stored.
  PLINTH_TRY(interleaver.replace(weights.head));
  if (parts.config.tied) weights.embedding = weights.head;
  for (auto& layer : weights.layers) {
    for (auto& weight : layer.linear) PLINTH_TRY(interleaver.replace(weight));
  }
  auto pages = interleaver.take();
  if (pages.empty()) return model;
  parts.storage = std::make_shared<Storage>(Storage{std::move(parts.storage), std::move(pages)});
  return Loader::finish(std::move(parts));
}

}  // namespace plinth::model
