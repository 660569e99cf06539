// What the tensors of a decoder are called in a file, and how the file keeps them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "model/model.h"

namespace plinth::model {

struct TensorNames {
  std::string_view embedding;
  std::string_view position_table;
  std::string_view final_norm;
  std::string_view final_norm_bias;
  std::string_view head;
  std::string_view layer;  // followed by the layer's number, a dot and one of these:
  std::array<std::string_view, kLinears> linear;
  std::string_view fused_qkv;  // q, k and v as the rows of one tensor; empty: a tensor each
  std::string_view attention_norm;
  std::string_view ffn_norm;
  std::string_view q_norm;
  std::string_view k_norm;
  bool turned = false;  // linear layers are kept as [inputs, outputs]

  // "blk.3.attn_q"; `name` is one of the members above.
  std::string stem(int64_t layer_number, std::string_view name) const;
  // The same with ".weight" or ".bias".
  std::string weight(int64_t layer_number, std::string_view name) const;
  std::string bias(int64_t layer_number, std::string_view name) const;
  // The name of what holds a linear layer: its own tensor, or the fused one.
  std::string_view part(Linear which) const;
};

// Source: gguf-py/gguf/constants.py of llama.cpp.
const TensorNames& gguf_names();
// Source: the state dicts of transformers' LlamaForCausalLM and its relatives.
const TensorNames& llama_names();

}  // namespace plinth::model
