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

bool within(const tensor::Weight& weight, std::span<const std::byte> mapped) {
  const auto* data = static_cast<const std::byte*>(weight.data);
  return data >= mapped.data() && data < mapped.data() + mapped.size();
}

}  // namespace

Interleaving::Interleaving(const std::shared_ptr<const Model>& model, const tensor::Ops& ops)
    : ops_(ops), model_(new Model(*model)) {
  const auto want = [this](tensor::Weight& weight) {
    if (!weight.empty() && weight.panel == 0 && ops_.panel(weight.type) != 0)
      left_.push_back(&weight);
  };
  // Taken from the back: the layers in order, then the head, which takes longest. An embedding that
  // is not the head is read by single rows: as stored.
  want(model_->weights_.head);
  auto& layers = model_->weights_.layers;
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) {
    for (auto& weight : layer->linear) want(weight);
  }
  auto storage = std::make_shared<Storage>();
  storage->of_model = std::move(model_->storage_);
  storage_ = &storage->pages;
  model_->storage_ = std::move(storage);
}

Result<bool> Interleaving::advance() {
  if (left_.empty()) return false;
  tensor::Weight& weight = *left_.back();
  const int height = ops_.panel(weight.type);
  PLINTH_TRY(auto pages, Pages::allocate(tensor::interleaved_bytes(weight.type, weight.rows,
                                                                   weight.cols, height)));
  left_.pop_back();
  const tensor::Weight from =
      std::exchange(weight, tensor::interleave(weight, height, pages.data()));
  auto& weights = model_->weights_;
  if (&weight == &weights.head && model_->config_.tied) weights.embedding = weights.head;
  storage_->push_back(std::move(pages));
  const size_t bytes = tensor::row_bytes(from.type, from.cols) * static_cast<size_t>(from.rows);
  if (within(from, model_->mapped_))
    forget_pages({static_cast<const std::byte*>(from.data), bytes});
  return !left_.empty();
}

}  // namespace plinth::model
