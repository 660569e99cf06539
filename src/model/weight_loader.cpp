#include "model/weight_loader.h"

#include <cstring>

#include <fmt/ranges.h>

namespace plinth::model {

Result<TensorPicker> TensorPicker::create(std::string file, std::vector<StoredTensor> tensors,
                                          WeightStorage& storage, std::string_view prefix) {
  TensorPicker picker(std::move(file), std::move(tensors), storage);
  for (size_t i = 0; i < picker.tensors_.size(); ++i) {
    auto& name = picker.tensors_[i].name;
    if (!prefix.empty() && name.starts_with(prefix)) name.erase(0, prefix.size());
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

Result<tensor::Weight> TensorPicker::turned_matrix(std::string_view name, int64_t rows,
                                                   int64_t cols) {
  PLINTH_TRY(const auto* stored, take(name, {cols, rows}));
  const size_t element = tensor::row_bytes(stored->type, 1);  // checkpoints have no block types
  auto& copy = storage_->turned.emplace_back(stored->bytes.size());
  const std::byte* from = stored->bytes.data();
  for (int64_t col = 0; col < cols; ++col) {
    for (int64_t row = 0; row < rows; ++row, from += element)
      std::memcpy(copy.data() + static_cast<size_t>(row * cols + col) * element, from, element);
  }
  return tensor::Weight{copy.data(), stored->type, rows, cols};
}

Result<const float*> TensorPicker::floats(std::string_view name,
                                          const std::vector<int64_t>& shape) {
  PLINTH_TRY(const auto* stored, take(name, shape));
  const void* data = stored->bytes.data();
  const bool aligned = reinterpret_cast<uintptr_t>(data) % alignof(float) == 0;
  if (stored->type == tensor::DType::kF32 && aligned) return static_cast<const float*>(data);
  // Rows by themselves: of a block type, each begins a new block.
  const int64_t cols = shape.back();
  const size_t row_bytes = tensor::row_bytes(stored->type, cols);
  const auto rows = static_cast<int64_t>(stored->bytes.size() / row_bytes);
  auto& copy = storage_->copies.emplace_back(static_cast<size_t>(rows * cols));
  for (int64_t row = 0; row < rows; ++row)
    tensor::to_f32(stored->bytes.data() + static_cast<size_t>(row) * row_bytes, stored->type, cols,
                   copy.data() + row * cols);
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

// Reads the tensors of one layer under the names of one format.
class LayerReader {
 public:
  LayerReader(const ModelConfig& config, const TensorNames& names, int64_t layer,
              TensorPicker& picker)
      : config_(config), names_(names), layer_(layer), picker_(picker) {}

  Result<LayerWeights> read() {
    LayerWeights weights;
    if (!names_.fused_qkv.empty()) PLINTH_TRY(read_fused(weights));
    for (size_t i = names_.fused_qkv.empty() ? 0 : 3; i < kLinears; ++i) {
      const auto which = static_cast<Linear>(i);
      if (!config_.has(which)) continue;
      const auto part = names_.part(which);
      PLINTH_TRY(weights.linear[i], matrix(part, config_.outputs(which), config_.inputs(which)));
      if (config_.has_bias(which)) {
        PLINTH_TRY(weights.bias[i], floats(names_.bias(layer_, part), config_.outputs(which)));
      }
    }
    PLINTH_TRY(
        read_norm(names_.attention_norm, weights.attention_norm, weights.attention_norm_bias));
    PLINTH_TRY(read_norm(names_.ffn_norm, weights.ffn_norm, weights.ffn_norm_bias));
    if (config_.qk_norm) {
      PLINTH_TRY(weights.q_norm, floats(names_.weight(layer_, names_.q_norm), config_.head_dim));
      PLINTH_TRY(weights.k_norm, floats(names_.weight(layer_, names_.k_norm), config_.head_dim));
    }
    return weights;
  }

 private:
  Result<tensor::Weight> matrix(std::string_view part, int64_t rows, int64_t cols) {
    const auto name = names_.weight(layer_, part);
    return names_.turned ? picker_.turned_matrix(name, rows, cols)
                         : picker_.matrix(name, rows, cols);
  }

  Result<const float*> floats(const std::string& name, int64_t n) {
    return picker_.floats(name, {n});
  }

  Status read_norm(std::string_view part, const float*& gain, const float*& bias) {
    PLINTH_TRY(gain, floats(names_.weight(layer_, part), config_.width));
    if (config_.norm == NormKind::kLayer) {
      PLINTH_TRY(bias, floats(names_.bias(layer_, part), config_.width));
    }
    return {};
  }

  // q, k and v are the rows of one matrix, in this order.
  Status read_fused(LayerWeights& weights) {
    constexpr std::array kFused{Linear::kQ, Linear::kK, Linear::kV};
    int64_t rows = 0;
    for (const Linear which : kFused) rows += config_.outputs(which);
    PLINTH_TRY(const auto fused, matrix(names_.fused_qkv, rows, config_.width));
    const float* bias = nullptr;
    if (config_.qkv_bias) {
      PLINTH_TRY(bias, floats(names_.bias(layer_, names_.fused_qkv), rows));
    }
    const auto* data = static_cast<const std::byte*>(fused.data);
    const size_t row_bytes = tensor::row_bytes(fused.type, fused.cols);
    for (const Linear which : kFused) {
      const int64_t n = config_.outputs(which);
      weights.linear[static_cast<size_t>(which)] = {data, fused.type, n, fused.cols};
      weights.bias[static_cast<size_t>(which)] = bias;
      data += static_cast<size_t>(n) * row_bytes;
      if (bias != nullptr) bias += n;
    }
    return {};
  }

  const ModelConfig& config_;
  const TensorNames& names_;
  int64_t layer_;
  TensorPicker& picker_;
};

}  // namespace

Result<Weights> load_weights(const ModelConfig& config, const TensorNames& names,
                             TensorPicker& picker) {
  Weights weights;
  PLINTH_TRY(weights.embedding, picker.matrix(names.embedding, config.vocabulary, config.width));
  if (config.positions == PositionKind::kLearned) {
    const std::vector<int64_t> shape{config.context, config.width};
    PLINTH_TRY(weights.position_table, picker.floats(names.position_table, shape));
  }
  PLINTH_TRY(weights.final_norm, picker.floats(names.final_norm, {config.width}));
  if (config.norm == NormKind::kLayer) {
    PLINTH_TRY(weights.final_norm_bias, picker.floats(names.final_norm_bias, {config.width}));
  }
  if (config.tied) {
    weights.head = weights.embedding;
    picker.ignore(names.head);
  } else {
    PLINTH_TRY(weights.head, picker.matrix(names.head, config.vocabulary, config.width));
  }
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    PLINTH_TRY(auto one, LayerReader(config, names, layer, picker).read());
    weights.layers.push_back(one);
  }
  PLINTH_TRY(picker.finish());
  return weights;
}

}  // namespace plinth::model
