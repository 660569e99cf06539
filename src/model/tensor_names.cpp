#include "model/tensor_names.h"

#include <fmt/format.h>

namespace plinth::model {

std::string TensorNames::stem(int64_t layer_number, std::string_view name) const {
  return fmt::format("{}.{}.{}", layer, layer_number, name);
}

std::string TensorNames::weight(int64_t layer_number, std::string_view name) const {
  return stem(layer_number, name) + ".weight";
}

std::string TensorNames::bias(int64_t layer_number, std::string_view name) const {
  return stem(layer_number, name) + ".bias";
}

std::string_view TensorNames::part(Linear which) const {
  return which <= Linear::kV && !fused_qkv.empty() ? fused_qkv : linear[static_cast<size_t>(which)];
}

const TensorNames& gguf_names() {
  static constexpr TensorNames names{
      .embedding = "token_embd.weight",
      .position_table = "position_embd.weight",
      .final_norm = "output_norm.weight",
      .final_norm_bias = "output_norm.bias",
      .head = "output.weight",
      .layer = "blk",
      .linear = {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"},
      .fused_qkv = {},
      .attention_norm = "attn_norm",
      .ffn_norm = "ffn_norm",
      .q_norm = "attn_q_norm",
      .k_norm = "attn_k_norm"};
  return names;
}

const TensorNames& llama_names() {
  static constexpr TensorNames names{
      .embedding = "model.embed_tokens.weight",
      .position_table = {},
      .final_norm = "model.norm.weight",
      .final_norm_bias = {},
      .head = "lm_head.weight",
      .layer = "model.layers",
      .linear = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
                 "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"},
      .fused_qkv = {},
      .attention_norm = "input_layernorm",
      .ffn_norm = "post_attention_layernorm",
      .q_norm = "self_attn.q_norm",
      .k_norm = "self_attn.k_norm"};
  return names;
}

}  // namespace plinth::model
