// GPT-2: LayerNorm, GELU, learned positions, biases everywhere; q, k and v in one tensor. Its
// checkpoints keep linear layers as [inputs, outputs].
// Source: models/gpt2 of transformers; GPT2Model in convert_hf_to_gguf.py of llama.cpp.
#include "model/architectures/architecture.h"

namespace plinth::model {
namespace {

const TensorNames& checkpoint_names() {
  static constexpr TensorNames names{
      .embedding = "wte.weight",
      .position_table = "wpe.weight",
      .final_norm = "ln_f.weight",
      .final_norm_bias = "ln_f.bias",
      .head = "lm_head.weight",
      .layer = "h",
      .linear = {"", "", "", "attn.c_proj", "", "mlp.c_fc", "mlp.c_proj"},
      .fused_qkv = "attn.c_attn",
      .attention_norm = "ln_1",
      .ffn_norm = "ln_2",
      .q_norm = {},
      .k_norm = {},
      .turned = true};
  return names;
}

const TensorNames& file_names() {
  static const TensorNames names = [] {
    TensorNames own = gguf_names();
    own.fused_qkv = "attn_qkv";
    return own;
  }();
  return names;
}

void define(ModelConfig& config) {
  config.norm = NormKind::kLayer;
  config.ffn_kind = FfnKind::kGelu;
  config.positions = PositionKind::kLearned;
  config.qkv_bias = config.output_bias = config.ffn_bias = true;
  config.fused_qkv = true;
}

Status refuse_unsupported(const Json& json) {
  const auto act = string_or(json, "activation_function", "gelu_new");
  if (act != "gelu_new" && act != "gelu_pytorch_tanh")
    return make_error(Code::kUnimplemented,
                      "activation_function '{}' is not supported (gelu_new is)", act);
  if (!bool_or(json, "scale_attn_weights", true))
    return make_error(Code::kUnimplemented, "scale_attn_weights false is not supported");
  for (const char* key : {"scale_attn_by_inverse_layer_idx", "add_cross_attention"}) {
    if (bool_or(json, key, false))
      return make_error(Code::kUnimplemented, "{} is not supported", key);
  }
  return {};
}

Status read_checkpoint(const Json& json, ModelConfig& config) {
  PLINTH_TRY(refuse_unsupported(json));
  PLINTH_TRY(config.vocabulary, get_int(json, "vocab_size"));
  PLINTH_TRY(config.width, get_int(json, "n_embd"));
  PLINTH_TRY(config.layers, get_int(json, "n_layer"));
  PLINTH_TRY(config.heads, get_int(json, "n_head"));
  PLINTH_TRY(config.context, get_int(json, "n_positions"));
  PLINTH_TRY(const double eps, get_number(json, "layer_norm_epsilon"));
  config.norm_eps = static_cast<float>(eps);
  if (config.heads > 0 && config.width % config.heads != 0)
    return invalid("n_head {} does not divide n_embd {}", config.heads, config.width);
  config.kv_heads = config.heads;
  config.head_dim = config.heads > 0 ? config.width / config.heads : 0;
  config.ffn = int_or(json, "n_inner", 0);
  if (config.ffn == 0 && config.width > 0 && config.width <= kWidthMax)
    config.ffn = 4 * config.width;
  config.tied = bool_or(json, "tie_word_embeddings", true);
  return {};
}

}  // namespace

const Architecture& gpt2() {
  static constexpr Architecture self{.name = "gpt2",
                                     .class_name = "GPT2LMHeadModel",
                                     .checkpoint_names = checkpoint_names,
                                     .gguf_names = file_names,
                                     .checkpoint_prefix = "transformer.",
                                     .define = define,
                                     .read_checkpoint = read_checkpoint};
  return self;
}

}  // namespace plinth::model
