#include "model/model.h"

#include <cmath>
#include <filesystem>
#include <utility>

#include "model/loader.h"

namespace plinth::model {
namespace {

struct Limit {
  const char* field;
  int64_t value;
  int64_t low;
  int64_t high;
};

// What an architecture is made of; a config that says otherwise would be written to files that lie.
struct Traits {
  std::string_view architecture;
  bool qk_norm;
  bool qkv_bias;
};

constexpr Traits kArchitectures[] = {
    {"qwen3", true, false}, {"qwen2", false, true}, {"llama", false, false}};

int64_t floats_of_norms(const ModelConfig& config) {
  int64_t in_layer = 2 * config.width;
  if (config.qk_norm) in_layer += 2 * config.head_dim;
  if (config.qkv_bias) in_layer += (config.heads + 2 * config.kv_heads) * config.head_dim;
  return config.width + config.layers * in_layer;
}

}  // namespace

Status check_architecture(const ModelConfig& config) {
  for (const auto& traits : kArchitectures) {
    if (traits.architecture != config.architecture) continue;
    if (traits.qk_norm != config.qk_norm)
      return invalid("architecture {}: qk_norm is {}", config.architecture, config.qk_norm);
    if (traits.qkv_bias != config.qkv_bias)
      return invalid("architecture {}: qkv_bias is {}", config.architecture, config.qkv_bias);
    if (config.rope_style == tensor::RopeStyle::kInterleaved && config.architecture != "llama")
      return invalid("architecture {}: interleaved RoPE belongs to llama", config.architecture);
    return {};
  }
  return make_error(Code::kUnimplemented,
                    "architecture '{}' is not supported (qwen3, qwen2 and llama are)",
                    config.architecture);
}

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

Status ModelConfig::check() const {
  PLINTH_TRY(check_architecture(*this));
  // Far above any model that exists, and low enough that no product of two overflows.
  const Limit limits[] = {{"vocabulary", vocabulary, 1, 1 << 22},
                          {"width", width, 1, 1 << 17},
                          {"layers", layers, 1, 1024},
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
  if (head_dim % 2 != 0) return invalid("head_dim {} is odd: RoPE turns pairs", head_dim);
  if (!(rms_eps > 0.0f && rms_eps < 1.0f)) return invalid("rms_eps {} is outside (0, 1)", rms_eps);
  if (!(rope_theta >= 1.0f && rope_theta <= 1e12f))
    return invalid("rope_theta {} is outside 1..1e12", rope_theta);
  return {};
}

Result<std::shared_ptr<const Model>> Model::open(const Path& path) {
  std::error_code code;
  if (std::filesystem::is_directory(path, code)) return load_hf_folder(path);
  PLINTH_TRY(auto file, MappedFile::open(path));
  auto storage = std::make_shared<WeightStorage>();
  storage->files.push_back(std::move(file));
  const auto bytes = storage->files.front().bytes();
  return load_gguf(bytes, path.string(), std::move(storage));
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
                         std::move(storage)});
}

std::shared_ptr<const Model> Loader::finish(ModelParts parts) {
  const auto& config = parts.config;
  PLINTH_CHECK(static_cast<int64_t>(parts.weights.layers.size()) == config.layers,
               "{} layers of weights for a config of {}", parts.weights.layers.size(),
               config.layers);
  std::shared_ptr<Model> model(new Model());
  model->inverse_frequencies_.resize(static_cast<size_t>(config.head_dim / 2));
  for (size_t i = 0; i < model->inverse_frequencies_.size(); ++i) {
    const double exponent = 2.0 * static_cast<double>(i) / static_cast<double>(config.head_dim);
    model->inverse_frequencies_[i] =
        static_cast<float>(std::pow(static_cast<double>(config.rope_theta), -exponent));
  }
  model->config_ = std::move(parts.config);
  model->weights_ = std::move(parts.weights);
  model->tokenizer_ = std::move(parts.tokenizer);
  model->chat_template_ = std::move(parts.chat_template);
  model->digest_ = std::move(parts.digest);
  model->storage_ = std::move(parts.storage);
  return model;
}

tensor::Rope Model::rope() const {
  return {config_.head_dim, config_.rope_style, inverse_frequencies_};
}

int64_t Model::parameters() const {
  int64_t in_layer = 0;
  for (int i = 0; i < kLinears; ++i) {
    const auto which = static_cast<Linear>(i);
    in_layer += config_.outputs(which) * config_.inputs(which);
  }
  const int64_t tables = (config_.tied ? 1 : 2) * config_.vocabulary * config_.width;
  return tables + config_.layers * in_layer + floats_of_norms(config_);
}

int64_t Model::weight_bytes() const {
  const auto bytes = [](const tensor::Weight& weight) {
    return weight.rows * static_cast<int64_t>(tensor::row_bytes(weight.type, weight.cols));
  };
  int64_t total = bytes(weights_.embedding) + (config_.tied ? 0 : bytes(weights_.head)) +
                  floats_of_norms(config_) * static_cast<int64_t>(sizeof(float));
  for (const auto& layer : weights_.layers) {
    for (const auto& weight : layer.linear) total += bytes(weight);
  }
  return total;
}

}  // namespace plinth::model
