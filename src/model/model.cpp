#include "model/model.h"

#include <cmath>
#include <filesystem>
#include <utility>

#include "model/architectures/architecture.h"
#include "model/loader.h"

namespace plinth::model {
namespace {

struct Limit {
  const char* field;
  int64_t value;
  int64_t low;
  int64_t high;
};

// Everything that is kept as plain floats: norms, biases, learned positions.
int64_t plain_floats(const ModelConfig& config) {
  const int64_t norm = config.norm == NormKind::kLayer ? 2 * config.width : config.width;
  int64_t in_layer = 2 * norm;
  if (config.qk_norm) in_layer += 2 * config.head_dim;
  for (int i = 0; i < kLinears; ++i) {
    const auto which = static_cast<Linear>(i);
    if (config.has_bias(which)) in_layer += config.outputs(which);
  }
  const int64_t table =
      config.positions == PositionKind::kLearned ? config.context * config.width : 0;
  return table + norm + config.layers * in_layer;
}

}  // namespace

std::string_view linear_name(Linear which) {
  static constexpr std::string_view names[kLinears] = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                                       "gate_proj", "up_proj", "down_proj"};
  return names[static_cast<size_t>(which)];
}

tensor::AttentionShape ModelConfig::attention() const {
  return {heads, kv_heads, head_dim, 1.0f / std::sqrt(static_cast<float>(head_dim))};
}

int64_t ModelConfig::outputs(Linear which) const {
  switch (which) {
    case Linear::kQ:
      return heads * head_dim;
    case Linear::kK:
    case Linear::kV:
      return kv_heads * head_dim;
    case Linear::kGate:
    case Linear::kUp:
      return ffn;
    case Linear::kO:
    case Linear::kDown:
      return width;
  }
  PLINTH_CHECK(false, "linear {}", static_cast<int>(which));
}

int64_t ModelConfig::inputs(Linear which) const {
  switch (which) {
    case Linear::kO:
      return heads * head_dim;
    case Linear::kDown:
      return ffn;
    default:
      return width;
  }
}

bool ModelConfig::has_bias(Linear which) const {
  if (!has(which)) return false;
  if (which <= Linear::kV) return qkv_bias;
  return which == Linear::kO ? output_bias : ffn_bias;
}

bool ModelConfig::rotates(int64_t layer) const {
  if (positions != PositionKind::kRotary) return false;
  return unrotated.empty() || !unrotated[static_cast<size_t>(layer)];
}

Status ModelConfig::check() const {
  PLINTH_TRY(check_architecture(*this));
  // Far above any model that exists, and low enough that no product of two overflows.
  const Limit limits[] = {{"vocabulary", vocabulary, 1, 1 << 22},
                          {"width", width, 1, kWidthMax},
                          {"layers", layers, 1, kLayersMax},
                          {"heads", heads, 1, 1024},
                          {"kv_heads", kv_heads, 1, 1024},
                          {"head_dim", head_dim, 2, 1024},
                          {"ffn", ffn, 1, 1 << 20},
                          {"context", context, 1, 1 << 24}};
  for (const auto& limit : limits) {
    if (limit.value < limit.low || limit.value > limit.high)
      return invalid("{} {} is outside {}..{}", limit.field, limit.value, limit.low, limit.high);
  }
  if (heads % kv_heads != 0)
    return invalid("kv_heads {} does not divide heads {}", kv_heads, heads);
  if (!(norm_eps > 0.0f && norm_eps < 1.0f))
    return invalid("norm_eps {} is outside (0, 1)", norm_eps);
  if (positions != PositionKind::kRotary) return {};
  if (head_dim % 2 != 0) return invalid("head_dim {} is odd: RoPE turns pairs", head_dim);
  if (!(rope_theta > 1.0f && rope_theta <= 1e12f))
    return invalid("rope_theta {} is outside 1..1e12", rope_theta);
  if (!unrotated.empty() && static_cast<int64_t>(unrotated.size()) != layers)
    return invalid("{} layers are said to rotate or not, of {}", unrotated.size(), layers);
  return rope_scaling.check(head_dim);
}

Result<std::shared_ptr<const Model>> Model::open(const Path& path, DigestMemo memo) {
  std::error_code code;
  if (std::filesystem::is_directory(path, code)) return load_hf_folder(path, std::move(memo));
  PLINTH_TRY(auto file, MappedFile::open(path));
  auto storage = std::make_shared<WeightStorage>();
  storage->files.push_back(std::move(file));
  const auto bytes = storage->files.front().bytes();
  return load_gguf(bytes, path.string(), std::move(storage), std::move(memo));
}

const std::string& Model::digest() const {
  static const std::string none;
  return digest_ != nullptr ? digest_->hex() : none;
}

std::shared_ptr<const Model> Model::assemble(ModelConfig config, Weights weights,
                                             std::shared_ptr<const text::Tokenizer> tokenizer,
                                             std::string chat_template,
                                             std::shared_ptr<const void> storage) {
  return Loader::finish({std::move(config),
                         std::move(weights),
                         std::move(tokenizer),
                         std::move(chat_template),
                         {},
                         std::move(storage),
                         {}});
}

std::shared_ptr<const Model> Loader::finish(ModelParts parts) {
  const auto& config = parts.config;
  PLINTH_CHECK(static_cast<int64_t>(parts.weights.layers.size()) == config.layers,
               "{} layers of weights for a config of {}", parts.weights.layers.size(),
               config.layers);
  std::shared_ptr<Model> model(new Model());
  if (config.positions == PositionKind::kRotary)
    model->inverse_frequencies_ =
        rope_frequencies(config.head_dim, double{config.rope_theta}, config.rope_scaling);
  model->config_ = std::move(parts.config);
  model->weights_ = std::move(parts.weights);
  model->tokenizer_ = std::move(parts.tokenizer);
  model->chat_template_ = std::move(parts.chat_template);
  model->digest_ = std::move(parts.digest);
  model->storage_ = std::move(parts.storage);
  model->mapped_ = parts.mapped;
  return model;
}

ModelParts Loader::parts(const Model& model) {
  return {model.config_, model.weights_, model.tokenizer_, model.chat_template_,
          model.digest_, model.storage_, model.mapped_};
}

tensor::Rope Model::rope() const {
  return {config_.head_dim, config_.rope_style, inverse_frequencies_,
          static_cast<float>(config_.rope_scaling.magnitude)};
}

int64_t Model::parameters() const {
  int64_t in_layer = 0;
  for (int i = 0; i < kLinears; ++i) {
    const auto which = static_cast<Linear>(i);
    if (config_.has(which)) in_layer += config_.outputs(which) * config_.inputs(which);
  }
  const int64_t tables = (config_.tied ? 1 : 2) * config_.vocabulary * config_.width;
  return tables + config_.layers * in_layer + plain_floats(config_);
}

int64_t Model::weight_bytes() const {
  int64_t total = 0;
  for (const auto& [type, count] : tensor_counts()) total += count.bytes;
  return total;
}

std::map<tensor::DType, TensorCount> Model::tensor_counts() const {
  std::map<tensor::DType, TensorCount> counts;
  const auto matrix = [&counts](const tensor::Weight& weight) {
    if (weight.empty()) return;
    auto& count = counts[weight.type];
    ++count.tensors;
    count.bytes += weight.rows * static_cast<int64_t>(tensor::row_bytes(weight.type, weight.cols));
  };
  auto& floats = counts[tensor::DType::kF32];
  const auto vector = [&floats](const float* data) { floats.tensors += data != nullptr ? 1 : 0; };
  floats.bytes = plain_floats(config_) * static_cast<int64_t>(sizeof(float));
  matrix(weights_.embedding);
  if (!config_.tied) matrix(weights_.head);
  for (const float* data : {weights_.position_table, weights_.final_norm, weights_.final_norm_bias})
    vector(data);
  for (const auto& layer : weights_.layers) {
    for (const auto& weight : layer.linear) matrix(weight);
    for (const float* data : layer.bias) vector(data);
    for (const float* data : {layer.attention_norm, layer.attention_norm_bias, layer.ffn_norm,
                              layer.ffn_norm_bias, layer.q_norm, layer.k_norm})
      vector(data);
  }
  return counts;
}

}  // namespace plinth::model
