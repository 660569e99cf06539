#include "model/weight_loader.h"

#include <fmt/ranges.h>

namespace plinth::model {

Result<TensorPicker> TensorPicker::create(std::string file, std::vector<StoredTensor> tensors,
                                          WeightStorage& storage) {
  TensorPicker picker(std::move(file), std::move(tensors), storage);
  for (size_t i = 0; i < picker.tensors_.size(); ++i) {
    const auto& name = picker.tensors_[i].name;
    if (!picker.index_.emplace(name, i).second)
      return invalid("{}: tensor {} appears twice", picker.file_, name);
  }
  picker.used_.resize(picker.tensors_.size());
  return picker;
}

Result<const StoredTensor*> TensorPicker::take(std::string_view name,
                                               const std::vector<int64_t>& shape) {
  const auto it = index_.find(name);
  if (it == index_.end()) return invalid("{}: tensor {} is missing", file_, name);
  const auto& stored = tensors_[it->second];
  if (stored.shape != shape)
    return invalid("{}: tensor {} has shape [{}], the config says [{}]", file_, name,
                   fmt::join(stored.shape, ", "), fmt::join(shape, ", "));
  used_[it->second] = true;
  return &stored;
}

Result<tensor::Weight> TensorPicker::matrix(std::string_view name, int64_t rows, int64_t cols) {
  PLINTH_TRY(const auto* stored, take(name, {rows, cols}));
  return tensor::Weight{stored->bytes.data(), stored->type, rows, cols};
}

Result<const float*> TensorPicker::floats(std::string_view name, int64_t n) {
  PLINTH_TRY(const auto* stored, take(name, {n}));
  const void* data = stored->bytes.data();
  const bool aligned = reinterpret_cast<uintptr_t>(data) % alignof(float) == 0;
  if (stored->type == tensor::DType::kF32 && aligned) return static_cast<const float*>(data);
  auto& copy = storage_->copies.emplace_back(static_cast<size_t>(n));
  tensor::to_f32(data, stored->type, n, copy.data());
  return static_cast<const float*>(copy.data());
}

void TensorPicker::ignore(std::string_view name) {
  if (const auto it = index_.find(name); it != index_.end()) used_[it->second] = true;
}

Status TensorPicker::finish() const {
  for (size_t i = 0; i < used_.size(); ++i) {
    if (!used_[i])
      return invalid("{}: tensor {} has no place in this architecture", file_, tensors_[i].name);
  }
  return {};
}

namespace {

Result<LayerWeights> load_layer(const ModelConfig& config, const TensorNames& names, int64_t layer,
                                TensorPicker& picker) {
  LayerWeights weights;
  for (size_t i = 0; i < kLinears; ++i) {
    const auto which = static_cast<Linear>(i);
    PLINTH_TRY(weights.linear[i], picker.matrix(names.weight(layer, names.linear[i]),
                                                config.outputs(which), config.inputs(which)));
    if (config.qkv_bias && i < weights.qkv_bias.size()) {
      PLINTH_TRY(weights.qkv_bias[i],
                 picker.floats(names.bias(layer, names.linear[i]), config.outputs(which)));
    }
  }
  PLINTH_TRY(weights.attention_norm,
             picker.floats(names.weight(layer, names.attention_norm), config.width));
  PLINTH_TRY(weights.ffn_norm, picker.floats(names.weight(layer, names.ffn_norm), config.width));
  if (config.qk_norm) {
    PLINTH_TRY(weights.q_norm, picker.floats(names.weight(layer, names.q_norm), config.head_dim));
    PLINTH_TRY(weights.k_norm, picker.floats(names.weight(layer, names.k_norm), config.head_dim));
  }
  return weights;
}

}  // namespace

Result<Weights> load_weights(const ModelConfig& config, const TensorNames& names,
                             TensorPicker& picker) {
  Weights weights;
  PLINTH_TRY(weights.embedding, picker.matrix(names.embedding, config.vocabulary, config.width));
  PLINTH_TRY(weights.final_norm, picker.floats(names.final_norm, config.width));
  if (config.tied) {
    weights.head = weights.embedding;
    picker.ignore(names.head);
  } else {
    PLINTH_TRY(weights.head, picker.matrix(names.head, config.vocabulary, config.width));
  }
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    PLINTH_TRY(auto one, load_layer(config, names, layer, picker));
    weights.layers.push_back(one);
  }
  PLINTH_TRY(picker.finish());
  return weights;
}

}  // namespace plinth::model
