// GGUF to Model: which metadata keys make a config and a tokenizer, and which are refused.
#include <algorithm>
#include <cstdint>

#include "core/hash.h"
#include "model/formats/gguf_reader.h"
#include "model/formats/tokenizer_files.h"
#include "model/loader.h"

namespace plinth::model {
namespace {

using tensor::RopeStyle;

// What would change the computation in a way that is not implemented.
Status refuse_unsupported(const GgufFile& file, std::string_view name,
                          const std::string& architecture) {
  PLINTH_TRY(const auto scaling, file.text_or(architecture + ".rope.scaling.type", "none"));
  if (scaling != "none")
    return make_error(Code::kUnimplemented, "{}: RoPE scaling '{}' is not supported", name,
                      scaling);
  PLINTH_TRY(const auto experts, file.integer_or(architecture + ".expert_count", 0));
  if (experts > 0)
    return make_error(Code::kUnimplemented, "{}: mixture of {} experts is not supported", name,
                      experts);
  return {};
}

Result<ModelConfig> read_config(const GgufFile& file, std::string_view name) {
  ModelConfig config;
  PLINTH_TRY(const auto architecture, file.text("general.architecture"));
  config.architecture = architecture;
  PLINTH_TRY(const auto model_name, file.text_or("general.name", ""));
  config.name = model_name;
  const auto key = [&config](std::string_view part) {
    return config.architecture + "." + std::string(part);
  };
  config.qk_norm = architecture == "qwen3";
  config.qkv_bias = architecture == "qwen2";
  config.rope_style = architecture == "llama" ? RopeStyle::kInterleaved : RopeStyle::kHalves;
  // Before the keys, so that a file of another architecture is told so and not that a key is
  // missing.
  PLINTH_TRY(in_file(name, check_architecture(config)));

  PLINTH_TRY(refuse_unsupported(file, name, config.architecture));
  PLINTH_TRY(config.layers, file.integer(key("block_count")));
  PLINTH_TRY(config.width, file.integer(key("embedding_length")));
  PLINTH_TRY(config.ffn, file.integer(key("feed_forward_length")));
  PLINTH_TRY(config.context, file.integer(key("context_length")));
  PLINTH_TRY(config.heads, file.integer(key("attention.head_count")));
  PLINTH_TRY(config.kv_heads, file.integer_or(key("attention.head_count_kv"), config.heads));
  const int64_t even_share = config.heads > 0 ? config.width / config.heads : 0;
  PLINTH_TRY(config.head_dim, file.integer_or(key("attention.key_length"), even_share));
  PLINTH_TRY(const auto value_length,
             file.integer_or(key("attention.value_length"), config.head_dim));
  PLINTH_TRY(const auto rotated, file.integer_or(key("rope.dimension_count"), config.head_dim));
  if (value_length != config.head_dim || rotated != config.head_dim)
    return make_error(Code::kUnimplemented,
                      "{}: key_length {}, value_length {} and rope.dimension_count {} differ", name,
                      config.head_dim, value_length, rotated);
  PLINTH_TRY(const auto theta, file.number_or(key("rope.freq_base"), 10000.0));
  config.rope_theta = static_cast<float>(theta);
  PLINTH_TRY(const auto eps, file.number(key("attention.layer_norm_rms_epsilon")));
  config.rms_eps = static_cast<float>(eps);
  // Full attention equals windowed attention as long as the text fits in the window.
  PLINTH_TRY(const auto window, file.integer_or(key("attention.sliding_window"), 0));
  if (window > 0) config.context = std::min(config.context, window);
  return config;
}

Result<int64_t> embedding_rows(const GgufFile& file, std::string_view name) {
  for (const auto& tensor : file.tensors()) {
    if (tensor.name == gguf_names().embedding) return tensor.shape.front();
  }
  return invalid("{}: tensor {} is missing", name, gguf_names().embedding);
}

}  // namespace

Result<std::shared_ptr<const Model>> load_gguf(std::span<const std::byte> bytes,
                                               std::string_view name,
                                               std::shared_ptr<WeightStorage> storage) {
  PLINTH_TRY(const auto file, GgufFile::parse(bytes, name));
  ModelParts parts;
  PLINTH_TRY(parts.config, read_config(file, name));
  PLINTH_TRY(parts.config.vocabulary, embedding_rows(file, name));
  PLINTH_TRY(auto picker, TensorPicker::create(std::string(name), file.tensors(), *storage));
  parts.config.tied = !picker.has(gguf_names().head);
  PLINTH_TRY(in_file(name, parts.config.check()));
  PLINTH_TRY(parts.weights, load_weights(parts.config, gguf_names(), picker));
  PLINTH_TRY(parts.tokenizer, read_gguf_tokenizer(file, name));
  if (parts.tokenizer->size() > parts.config.vocabulary)
    return invalid("{}: {} tokens for {} rows of {}", name, parts.tokenizer->size(),
                   parts.config.vocabulary, gguf_names().embedding);
  PLINTH_TRY(const auto chat_template, file.text_or("tokenizer.chat_template", ""));
  parts.chat_template = chat_template;
  parts.digest = sha256_hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  parts.storage = std::move(storage);
  return Loader::finish(std::move(parts));
}

}  // namespace plinth::model
