#include "train/math/lora.h"

#include <cmath>
#include <string>

#include "core/rng.h"
#include "train/math/base_parameters.h"

namespace plinth::train {
namespace {

using model::Linear;
using tensor::ConstMatrix;
using tensor::Matrix;

void scale_by(float factor, Matrix m) {
  for (int64_t i = 0; i < m.rows * m.cols; ++i) m.data[i] *= factor;
}

bool targeted(const LoraOptions& options, Linear which) {
  return options.targets[static_cast<size_t>(which)];
}

double scale_of(const LoraOptions& options) {
  const auto rank = static_cast<double>(options.rank);
  const bool stabilised = options.scaling == LoraScaling::kRankStabilised;
  return options.alpha / (stabilised ? std::sqrt(rank) : rank);
}

}  // namespace

Status check_targets(const model::ModelConfig& base, const LoraOptions& options) {
  bool any = false;
  for (int i = 0; i < model::kLinears; ++i) {
    const auto which = static_cast<Linear>(i);
    any = any || (targeted(options, which) && base.has(which));
  }
  if (!any && !options.embedding && !options.head)
    return invalid("lora.targets: bases of architecture {} have none of these layers",
                   base.architecture);
  const bool q = targeted(options, Linear::kQ);
  if (base.fused_qkv && (q != targeted(options, Linear::kK) || q != targeted(options, Linear::kV)))
    return invalid(
        "lora.targets: q_proj, k_proj and v_proj are one layer in bases of architecture {}: all of "
        "them or none",
        base.architecture);
  return {};
}

Lora::Lora(const tensor::Ops& ops, const model::ModelConfig& base, const LoraOptions& options)
    : ops_(&ops),
      rank_(options.rank),
      full_scale_(scale_of(options)),
      scale_(static_cast<float>(full_scale_)),
      slots_(static_cast<size_t>(base.layers)) {
  for (int64_t layer = 0; layer < base.layers; ++layer) {
    for (int i = 0; i < model::kLinears; ++i) {
      const auto which = static_cast<Linear>(i);
      if (!targeted(options, which) || !base.has(which)) continue;
      const auto name = linear_parameter_name(layer, which);
      auto& s = slot(layer, which);
      const bool shared = base.fused_qkv && (which == Linear::kK || which == Linear::kV);
      s.a = shared ? slot(layer, Linear::kQ).a
                   : parameters_.add(name + ".lora_A", rank_, base.inputs(which), /*decay=*/true);
      s.b = parameters_.add(name + ".lora_B", base.outputs(which), rank_, /*decay=*/true);
      parameters_.set_rate(s.b, options.b_rate);
    }
  }
  if (options.embedding) {
    embedding_.a = parameters_.add("model.embed_tokens.lora_embedding_A", base.vocabulary, rank_,
                                   /*decay=*/true);
    embedding_.b =
        parameters_.add("model.embed_tokens.lora_embedding_B", base.width, rank_, /*decay=*/true);
  }
  if (options.head) {
    head_.a = parameters_.add("lm_head.lora_A", rank_, base.width, /*decay=*/true);
    head_.b = parameters_.add("lm_head.lora_B", base.vocabulary, rank_, /*decay=*/true);
    parameters_.set_rate(head_.b, options.b_rate);
  }
  parameters_.allocate();
}

void Lora::set_strength(double strength) {
  scale_ = static_cast<float>(full_scale_ * strength);
}

void Lora::initialise(uint64_t seed) {
  Rng rng(seed);
  const auto fill_uniformly = [&](const Slot& slot) {
    if (slot.a < 0) return;
    const Matrix a = parameters_.value(slot.a);
    const double bound = 1.0 / std::sqrt(static_cast<double>(a.cols));
    for (int64_t i = 0; i < a.rows * a.cols; ++i)
      a.data[i] = static_cast<float>((2.0 * rng.uniform() - 1.0) * bound);
  };
  for (const auto& layer : slots_)
    for (const auto& slot : layer) fill_uniformly(slot);
  fill_uniformly(head_);
  if (embedding_.a < 0) return;
  const Matrix b = parameters_.value(embedding_.b);
  for (int64_t i = 0; i < b.rows * b.cols; ++i) b.data[i] = static_cast<float>(rng.normal());
}

Status Lora::copy_to(const Slot& slot, const model::LowRank& from, const std::string& what) {
  const int64_t due = slot.a < 0 ? 0 : rank_;
  if (from.rank != due) return invalid("rank {} in {}, where {} is due", from.rank, what, due);
  if (slot.a < 0) return {};
  tensor::to_f32(from.a.data, from.a.type, from.a.rows * from.a.cols,
                 parameters_.value(slot.a).data);
  tensor::to_f32(from.b.data, from.b.type, from.b.rows * from.b.cols,
                 parameters_.value(slot.b).data);
  return {};
}

Status Lora::copy_from(const model::Adapter& adapter) {
  for (size_t layer = 0; layer < slots_.size(); ++layer)
    for (size_t i = 0; i < model::kLinears; ++i)
      PLINTH_TRY(copy_to(slots_[layer][i], adapter.layers[layer][i],
                         fmt::format("adapter {}: layer {}, {}", adapter.name, layer,
                                     linear_name(static_cast<Linear>(i)))));
  PLINTH_TRY(copy_to(embedding_, adapter.embedding, adapter.name + ": embedding"));
  return copy_to(head_, adapter.head, adapter.name + ": head");
}

model::LowRank Lora::view_of(const Slot& slot) {
  if (slot.a < 0) return {};
  return {tensor::weight(parameters_.value(slot.a)), tensor::weight(parameters_.value(slot.b)),
          scale_, rank_};
}

model::Adapter Lora::view() {
  model::Adapter adapter;
  adapter.layers.resize(slots_.size());
  for (size_t layer = 0; layer < slots_.size(); ++layer)
    for (size_t i = 0; i < model::kLinears; ++i)
      adapter.layers[layer][i] = view_of(slots_[layer][i]);
  adapter.embedding = view_of(embedding_);
  adapter.head = view_of(head_);
  return adapter;
}

void Lora::add(Slot& s, ConstMatrix x, Matrix y) {
  if (s.a < 0) return;
  const Matrix low = s.kept.as(x.rows, rank_);
  ops_->linear(x, tensor::weight(parameters_.value(s.a)), low, /*accumulate=*/false);
  scale_by(scale_, low);
  ops_->linear(low, tensor::weight(parameters_.value(s.b)), y, /*accumulate=*/true);
}

void Lora::add_backward(Slot& s, ConstMatrix x, ConstMatrix dy, Matrix dx) {
  if (s.a < 0) return;
  const Matrix low = s.kept.as(x.rows, rank_);
  ops_->linear_dw(dy, low, parameters_.gradient(s.b), /*accumulate=*/true);
  const Matrix dlow = gradient_.as(x.rows, rank_);
  ops_->linear_dx(dy, tensor::weight(parameters_.value(s.b)), dlow, /*accumulate=*/false);
  scale_by(scale_, dlow);
  ops_->linear_dw(dlow, x, parameters_.gradient(s.a), /*accumulate=*/true);
  if (dx.data != nullptr)
    ops_->linear_dx(dlow, tensor::weight(parameters_.value(s.a)), dx, /*accumulate=*/true);
}

void Lora::add(int64_t layer, Linear which, ConstMatrix x, Matrix y) {
  add(slot(layer, which), x, y);
}

void Lora::add_backward(int64_t layer, Linear which, ConstMatrix x, ConstMatrix dy, Matrix dx) {
  add_backward(slot(layer, which), x, dy, dx);
}

void Lora::add_head(std::span<const int32_t>, ConstMatrix hidden, Matrix logits) {
  add(head_, hidden, logits);
}

void Lora::add_head_backward(std::span<const int32_t>, ConstMatrix hidden, ConstMatrix dlogits,
                             Matrix dhidden) {
  add_backward(head_, hidden, dlogits, dhidden);
}

void Lora::add_embedding(std::span<const int32_t> tokens, Matrix x) {
  if (embedding_.a < 0) return;
  const Matrix low = embedding_.kept.as(x.rows, rank_);
  ops_->embed(tokens, tensor::weight(parameters_.value(embedding_.a)), low);
  scale_by(scale_, low);
  ops_->linear(low, tensor::weight(parameters_.value(embedding_.b)), x, /*accumulate=*/true);
}

void Lora::add_embedding_backward(std::span<const int32_t> tokens, ConstMatrix d) {
  if (embedding_.a < 0) return;
  const Matrix low = embedding_.kept.as(d.rows, rank_);
  ops_->linear_dw(d, low, parameters_.gradient(embedding_.b), /*accumulate=*/true);
  const Matrix dlow = gradient_.as(d.rows, rank_);
  ops_->linear_dx(d, tensor::weight(parameters_.value(embedding_.b)), dlow, /*accumulate=*/false);
  scale_by(scale_, dlow);
  ops_->embed_backward(tokens, dlow, parameters_.gradient(embedding_.a));
}

}  // namespace plinth::train
