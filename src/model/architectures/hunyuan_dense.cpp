// Hunyuan dense (Tencent): a Llama that normalises each head of q and k after it has rotated them.
// Source: models/hunyuan_v1_dense of transformers; HunYuanModel in convert_hf_to_gguf.py of
// llama.cpp.
#include <cmath>

#include "model/architectures/architecture.h"
#include "model/architectures/checkpoint_keys.h"

namespace plinth::model {
namespace {

const TensorNames& checkpoint_names() {
  static const TensorNames names = [] {
    TensorNames own = llama_names();
    own.q_norm = "self_attn.query_layernorm";
    own.k_norm = "self_attn.key_layernorm";
    return own;
  }();
  return names;
}

void define(ModelConfig& config) {
  config.qk_norm = true;
  config.qk_norm_after_rope = true;
  config.ffn_bias = false;
}

Status read_checkpoint(const Json& json, ModelConfig& config) {
  PLINTH_TRY(read_llama_keys(json, {}, config));
  // The checkpoints say "dynamic" and mean a fixed stretch of the base. GGUF files hold the result.
  const Json* rope = find_rope_keys(json);
  const double alpha = rope != nullptr ? number_or(*rope, "alpha", 0.0) : 0.0;
  if (alpha != 0.0) {
    const auto dim = static_cast<double>(config.head_dim);
    const double theta = double{config.rope_theta} * std::pow(alpha, dim / (dim - 2));
    config.rope_theta = static_cast<float>(theta);
  }
  return {};
}

}  // namespace

const Architecture& hunyuan_dense() {
  static constexpr Architecture self{.name = "hunyuan-dense",
                                     .class_name = "HunYuanDenseV1ForCausalLM",
                                     .checkpoint_names = checkpoint_names,
                                     .define = define,
                                     .read_checkpoint = read_checkpoint};
  return self;
}

}  // namespace plinth::model
