// GGUF to Model: which metadata keys make a config and a tokenizer, and which are refused.
#include <algorithm>
#include <cstdint>

#include "core/hash.h"
#include "model/architectures/architecture.h"
#include "model/architectures/checkpoint_keys.h"
#include "model/formats/gguf_keys.h"
#include "model/formats/gguf_reader.h"
#include "model/formats/tokenizer_files.h"
#include "model/loader.h"

namespace plinth::model {
namespace {

// The keys of one file, below the name of its architecture.
struct Keys {
  const GgufFile& file;
  std::string_view name;  // of the file
  std::string architecture;

  std::string of(std::string_view part) const { return architecture + "." + std::string(part); }
};

// Source: llama_model::load_hparams in src/llama-model.cpp of llama.cpp.
Status read_rope_scaling(const Keys& keys, ModelConfig& config) {
  const auto& file = keys.file;
  auto& scaling = config.rope_scaling;
  PLINTH_TRY(const auto type, file.text_or(keys.of("rope.scaling.type"), "linear"));
  PLINTH_TRY(const auto old_factor, file.number_or(keys.of("rope.scale_linear"), 0.0));
  PLINTH_TRY(const auto factor, file.number_or(keys.of("rope.scaling.factor"), old_factor));
  if (type == "none" || (type == "linear" && (factor == 0.0 || factor == 1.0))) return {};
  if (type != "linear" && type != "yarn")
    return make_error(Code::kUnimplemented,
                      "{}: RoPE scaling '{}' is not supported (none, linear and yarn are)",
                      keys.name, type);
  scaling.kind = type == "yarn" ? RopeScalingKind::kYarn : RopeScalingKind::kLinear;
  scaling.factor = factor;
  if (type == "linear") return {};
  PLINTH_TRY(const auto slope, file.number_or(keys.of("rope.scaling.yarn_log_multiplier"), 0.0));
  if (slope != 0.0)
    return make_error(Code::kUnimplemented, "{}: {} {} is not supported", keys.name,
                      keys.of("rope.scaling.yarn_log_multiplier"), slope);
  PLINTH_TRY(scaling.original_context,
             file.integer_or(keys.of("rope.scaling.original_context_length"), config.context));
  PLINTH_TRY(scaling.beta_fast, file.number_or(keys.of("rope.scaling.yarn_beta_fast"), 32.0));
  PLINTH_TRY(scaling.beta_slow, file.number_or(keys.of("rope.scaling.yarn_beta_slow"), 1.0));
  PLINTH_TRY(const auto more, file.number_or(keys.of("rope.scaling.attn_factor"), 1.0));
  scaling.magnitude = more * yarn_magnitude(factor);
  return {};
}

Status read_sizes(const Keys& keys, ModelConfig& config) {
  const auto& file = keys.file;
  PLINTH_TRY(config.layers, file.integer(keys.of("block_count")));
  PLINTH_TRY(config.width, file.integer(keys.of("embedding_length")));
  PLINTH_TRY(config.ffn, file.integer(keys.of("feed_forward_length")));
  PLINTH_TRY(config.context, file.integer(keys.of("context_length")));
  PLINTH_TRY(config.heads, file.integer(keys.of("attention.head_count")));
  PLINTH_TRY(config.kv_heads, file.integer_or(keys.of("attention.head_count_kv"), config.heads));
  const int64_t even_share = config.heads > 0 ? config.width / config.heads : 0;
  PLINTH_TRY(config.head_dim, file.integer_or(keys.of("attention.key_length"), even_share));
  PLINTH_TRY(const auto value_length,
             file.integer_or(keys.of("attention.value_length"), config.head_dim));
  PLINTH_TRY(const auto rotated, file.integer_or(keys.of("rope.dimension_count"), config.head_dim));
  if (value_length != config.head_dim || rotated != config.head_dim)
    return make_error(Code::kUnimplemented,
                      "{}: key_length {}, value_length {} and rope.dimension_count {} differ",
                      keys.name, config.head_dim, value_length, rotated);
  PLINTH_TRY(const auto experts, file.integer_or(keys.of("expert_count"), 0));
  if (experts > 0)
    return make_error(Code::kUnimplemented, "{}: mixture of {} experts is not supported", keys.name,
                      experts);
  return {};
}

Result<ModelConfig> read_config(const GgufFile& file, std::string_view name,
                                const Architecture& architecture) {
  const Keys keys{file, name, std::string(architecture.name)};
  ModelConfig config;
  config.architecture = architecture.name;
  config.rope_style = architecture.gguf_rope;
  PLINTH_TRY(const auto model_name, file.text_or("general.name", ""));
  config.name = model_name;
  if (architecture.define != nullptr) architecture.define(config);
  PLINTH_TRY(read_sizes(keys, config));
  PLINTH_TRY(const auto eps, file.number(keys.of(norm_eps_key(config.norm))));
  config.norm_eps = static_cast<float>(eps);
  PLINTH_TRY(const auto theta, file.number_or(keys.of("rope.freq_base"), 10000.0));
  config.rope_theta = static_cast<float>(theta);
  PLINTH_TRY(read_rope_scaling(keys, config));
  PLINTH_TRY(const auto window, file.integer_or(keys.of("attention.sliding_window"), 0));
  limit_to_window(window, config);
  config.unrotated = every_nth_layer(architecture.gguf_unrotated_interval, config.layers);
  return config;
}

// What the presence of a tensor says and no key does.
Status read_from_tensors(TensorPicker& picker, const TensorNames& names, ModelConfig& config) {
  config.tied = !picker.has(names.head);
  config.qkv_bias = picker.has(names.bias(0, names.part(Linear::kQ)));
  config.output_bias = picker.has(names.bias(0, names.part(Linear::kO)));
  config.ffn_bias = picker.has(names.bias(0, names.part(Linear::kUp)));
  if (!picker.has(kGgufRopeDivisors)) return {};
  if (config.head_dim < 2 || config.head_dim > kWidthMax) return {};  // check() says so
  PLINTH_TRY(const float* divisors, picker.floats(kGgufRopeDivisors, {config.head_dim / 2}));
  config.rope_scaling.divisors.assign(divisors, divisors + config.head_dim / 2);
  return {};
}

Result<int64_t> embedding_rows(const GgufFile& file, std::string_view name) {
  for (const auto& tensor : file.tensors()) {
    if (tensor.name == name) return tensor.shape.front();
  }
  return invalid("tensor {} is missing", name);
}

}  // namespace

Result<std::shared_ptr<const Model>> load_gguf(std::span<const std::byte> bytes,
                                               std::string_view name,
                                               std::shared_ptr<WeightStorage> storage,
                                               DigestMemo memo) {
  PLINTH_TRY(const auto file, GgufFile::parse(bytes, name));
  PLINTH_TRY(const auto type, file.text_or("general.type", "model"));
  if (type == kGgufAdapter)
    return invalid("{}: an adapter, not a base (BASE+ADAPTER names both)", name);
  PLINTH_TRY(const auto architecture_name, file.text("general.architecture"));
  PLINTH_TRY(const auto* architecture, in_file(name, architecture_of_name(architecture_name)));
  const auto& names = architecture->gguf_names();
  ModelParts parts;
  PLINTH_TRY(parts.config, read_config(file, name, *architecture));
  PLINTH_TRY(parts.config.vocabulary, in_file(name, embedding_rows(file, names.embedding)));
  PLINTH_TRY(auto picker, TensorPicker::create(std::string(name), file.tensors(), *storage));
  PLINTH_TRY(read_from_tensors(picker, names, parts.config));
  PLINTH_TRY(in_file(name, parts.config.check()));
  PLINTH_TRY(parts.weights, load_weights(parts.config, names, picker));
  PLINTH_TRY(parts.tokenizer, read_gguf_tokenizer(file, name));
  if (parts.tokenizer->size() > parts.config.vocabulary)
    return invalid("{}: {} tokens for {} rows of {}", name, parts.tokenizer->size(),
                   parts.config.vocabulary, names.embedding);
  PLINTH_TRY(const auto chat_template, file.text_or("tokenizer.chat_template", ""));
  parts.chat_template = chat_template;
  if (!storage->files.empty()) parts.mapped = storage->files.front().bytes();
  parts.digest = std::make_shared<WeightsDigest>(std::vector<std::span<const std::byte>>{bytes},
                                                 !storage->files.empty(), storage, std::move(memo));
  parts.storage = std::move(storage);
  return Loader::finish(std::move(parts));
}

}  // namespace plinth::model
