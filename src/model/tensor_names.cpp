#include "model/tensor_names.h"

#include <fmt/format.h>

namespace plinth::model {

std::string TensorNames::weight(int64_t layer_number, std::string_view part) const {
  return fmt::format("{}.{}.{}.weight", layer, layer_number, part);
}

std::string TensorNames::bias(int64_t layer_number, std::string_view part) const {
  return fmt::format("{}.{}.{}.bias", layer, layer_number, part);
}

const TensorNames& gguf_names() {
  static constexpr TensorNames names{
      .embedding = "token_embd.weight",
      .final_norm = "output_norm.weight",
      .head = "output.weight",
      .layer = "blk",
      .linear = {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"},
      .attention_norm = "attn_norm",
      .ffn_norm = "ffn_norm",
      .q_norm = "attn_q_norm",
      .k_norm = "attn_k_norm"};
  return names;
}

const TensorNames& hugging_face_names() {
  static constexpr TensorNames names{
      .embedding = "model.embed_tokens.weight",
      .final_norm = "model.norm.weight",
      .head = "lm_head.weight",
      .layer = "model.layers",
      .linear = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
                 "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"},
      .attention_norm = "input_layernorm",
      .ffn_norm = "post_attention_layernorm",
      .q_norm = "self_attn.q_norm",
      .k_norm = "self_attn.k_norm"};
  return names;
}

}  // namespace plinth::model
