#include "model/architectures/checkpoint_keys.h"

#include <algorithm>
#include <cmath>

namespace plinth::model {
namespace {

bool is_object(const Json& json, const char* key) {
  const auto it = json.find(key);
  return it != json.end() && it->is_object();
}

// The magnitude as YaRN's keys give it: by itself, or as a ratio of two stretches of its own.
double read_magnitude(const Json& keys, double factor) {
  const double numerator = number_or(keys, "mscale", 0.0);
  const double denominator = number_or(keys, "mscale_all_dim", 0.0);
  double inferred = yarn_magnitude(factor);
  if (numerator != 0.0 && denominator != 0.0 && factor > 1)
    inferred = (1 + numerator * (inferred - 1)) / (1 + denominator * (inferred - 1));
  return number_or(keys, "attention_factor", inferred);
}

Status read_yarn(const Json& keys, ModelConfig& config) {
  auto& scaling = config.rope_scaling;
  scaling.kind = RopeScalingKind::kYarn;
  PLINTH_TRY(scaling.factor, get_number(keys, "factor"));
  scaling.beta_fast = number_or(keys, "beta_fast", scaling.beta_fast);
  scaling.beta_slow = number_or(keys, "beta_slow", scaling.beta_slow);
  scaling.truncate = bool_or(keys, "truncate", true);
  scaling.magnitude = read_magnitude(keys, scaling.factor);
  PLINTH_TRY(scaling.check(config.head_dim));
  // Qwen2.5 adds the scaling to its config and leaves max_position_embeddings as it was.
  const double stretched = scaling.factor * static_cast<double>(scaling.original_context);
  config.context = std::max(config.context, static_cast<int64_t>(std::llround(stretched)));
  return {};
}

Status read_llama3(const Json& keys, RopeScaling& scaling) {
  scaling.kind = RopeScalingKind::kLlama3;
  PLINTH_TRY(scaling.factor, get_number(keys, "factor"));
  PLINTH_TRY(scaling.low_frequency, get_number(keys, "low_freq_factor"));
  PLINTH_TRY(scaling.high_frequency, get_number(keys, "high_freq_factor"));
  return {};
}

Status read_rope(const Json& json, double theta, ModelConfig& config) {
  const Json* keys = find_rope_keys(json);
  const Json none = Json::object();
  if (keys == nullptr) keys = &none;
  config.rope_theta =
      static_cast<float>(number_or(json, "rope_theta", number_or(*keys, "rope_theta", theta)));
  auto& scaling = config.rope_scaling;
  scaling.original_context =
      int_or(*keys, "original_max_position_embeddings",
             int_or(json, "original_max_position_embeddings", config.context));
  const auto type = string_or(*keys, "rope_type", string_or(*keys, "type", "default"));
  // Dynamic NTK changes the frequencies only beyond max_position_embeddings, where we do not go.
  if (type == "default" || type == "dynamic") return {};
  if (type == "yarn") return read_yarn(*keys, config);
  if (type == "llama3") return read_llama3(*keys, scaling);
  if (type != "linear")
    return make_error(Code::kUnimplemented,
                      "RoPE of type '{}' is not supported (default, linear, dynamic, llama3 and "
                      "yarn are)",
                      type);
  scaling.kind = RopeScalingKind::kLinear;
  PLINTH_TRY(scaling.factor, get_number(*keys, "factor"));
  return {};
}

Status refuse_unsupported(const Json& json) {
  if (const auto act = string_or(json, "hidden_act", "silu"); act != "silu")
    return make_error(Code::kUnimplemented, "hidden_act '{}' is not supported (silu is)", act);
  const Json* rope = find_rope_keys(json);
  const double nested = rope != nullptr ? number_or(*rope, "partial_rotary_factor", 1.0) : 1.0;
  if (const double share = number_or(json, "partial_rotary_factor", nested); share != 1.0)
    return make_error(Code::kUnimplemented, "partial_rotary_factor {} is not supported", share);
  return {};
}

}  // namespace

const Json* find_rope_keys(const Json& json) {
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    if (is_object(json, key)) return &json[key];
  }
  return nullptr;
}

void limit_to_window(int64_t window, ModelConfig& config) {
  if (window > 0) config.context = std::min(config.context, window);
}

Status read_llama_keys(const Json& json, const CheckpointDefaults& defaults, ModelConfig& config) {
  PLINTH_TRY(refuse_unsupported(json));
  PLINTH_TRY(config.vocabulary, get_int(json, "vocab_size"));
  PLINTH_TRY(config.width, get_int(json, "hidden_size"));
  PLINTH_TRY(config.layers, get_int(json, "num_hidden_layers"));
  PLINTH_TRY(config.heads, get_int(json, "num_attention_heads"));
  config.kv_heads = int_or(json, "num_key_value_heads", config.heads);
  config.head_dim = int_or(json, "head_dim", config.heads > 0 ? config.width / config.heads : 0);
  PLINTH_TRY(config.ffn, get_int(json, "intermediate_size"));
  PLINTH_TRY(config.context, get_int(json, "max_position_embeddings"));
  PLINTH_TRY(const double eps, get_number(json, "rms_norm_eps"));
  config.norm_eps = static_cast<float>(eps);
  config.tied = bool_or(json, "tie_word_embeddings", defaults.tied);
  config.qkv_bias = config.output_bias = bool_or(json, "attention_bias", false);
  config.ffn_bias = bool_or(json, "mlp_bias", false);
  PLINTH_TRY(read_rope(json, defaults.rope_theta, config));
  if (bool_or(json, "use_sliding_window", false))
    limit_to_window(int_or(json, "sliding_window", 0), config);
  return {};
}

}  // namespace plinth::model
