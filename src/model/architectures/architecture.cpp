#include "model/architectures/architecture.h"

#include <fmt/ranges.h>

namespace plinth::model {
namespace {

// A name that several share (Mistral is a llama in GGUF files) is found as the first of them.
constexpr const Architecture& (*kArchitectures[])() = {llama,         mistral,  qwen2, qwen3,
                                                       hunyuan_dense, ernie4_5, gpt2,  smollm3};

Result<const Architecture*> find(std::string_view Architecture::*key, std::string_view value) {
  std::vector<std::string_view> known;
  for (const auto& architecture : kArchitectures) {
    const auto& one = architecture();
    if (one.*key == value) return &one;
    if (known.empty() || known.back() != one.*key) known.push_back(one.*key);
  }
  return make_error(Code::kUnimplemented, "architecture '{}' is not supported (known are {})",
                    value, fmt::join(known, ", "));
}

struct Flag {
  const char* name;
  bool ModelConfig::*value;
};

constexpr Flag kFlags[] = {{"qk_norm", &ModelConfig::qk_norm},
                           {"qk_norm_after_rope", &ModelConfig::qk_norm_after_rope},
                           {"qkv_bias", &ModelConfig::qkv_bias},
                           {"output_bias", &ModelConfig::output_bias},
                           {"ffn_bias", &ModelConfig::ffn_bias}};

}  // namespace

Result<const Architecture*> architecture_of_name(std::string_view name) {
  return find(&Architecture::name, name);
}

Result<const Architecture*> architecture_of_class(std::string_view class_name) {
  return find(&Architecture::class_name, class_name);
}

std::vector<bool> every_nth_layer(int64_t interval, int64_t layers) {
  if (interval < 1 || layers < 1 || layers > kLayersMax) return {};
  std::vector<bool> chosen(static_cast<size_t>(layers));
  for (int64_t layer = interval - 1; layer < layers; layer += interval)
    chosen[static_cast<size_t>(layer)] = true;
  return chosen;
}

Status check_architecture(const ModelConfig& config) {
  PLINTH_TRY(const auto* architecture, architecture_of_name(config.architecture));
  ModelConfig defined = config;
  // A file chooses its biases, where the architecture leaves them open, and nothing else.
  defined.qk_norm = defined.qk_norm_after_rope = false;
  defined.norm = NormKind::kRms;
  defined.ffn_kind = FfnKind::kSwiglu;
  defined.positions = PositionKind::kRotary;
  if (architecture->define != nullptr) architecture->define(defined);
  for (const auto& flag : kFlags) {
    if (config.*flag.value != defined.*flag.value)
      return invalid("architecture {}: {} is {}", config.architecture, flag.name,
                     config.*flag.value);
  }
  if (config.norm != defined.norm || config.ffn_kind != defined.ffn_kind ||
      config.positions != defined.positions)
    return invalid("architecture {}: norm, ffn or positions are another architecture's",
                   config.architecture);
  if (config.rope_style != architecture->checkpoint_rope &&
      config.rope_style != architecture->gguf_rope)
    return invalid("architecture {}: neither of its formats lays out q and k like that",
                   config.architecture);
  return {};
}

}  // namespace plinth::model
