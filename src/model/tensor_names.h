// What the tensors of a decoder are called in a GGUF file and in a Hugging Face checkpoint.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "model/model.h"

namespace plinth::model {

struct TensorNames {
  std::string_view embedding;
  std::string_view final_norm;
  std::string_view head;
  std::string_view layer;  // followed by the layer's number, a dot and one of these:
  std::array<std::string_view, kLinears> linear;
  std::string_view attention_norm;
  std::string_view ffn_norm;
  std::string_view q_norm;
  std::string_view k_norm;

  // "blk.3.attn_q.weight"; `part` is one of the members above.
  std::string weight(int64_t layer_number, std::string_view part) const;
  std::string bias(int64_t layer_number, std::string_view part) const;
};

// Source: gguf-py/gguf/constants.py of llama.cpp.
const TensorNames& gguf_names();
// Source: the state dicts of transformers' LlamaForCausalLM and its relatives.
const TensorNames& hugging_face_names();

}  // namespace plinth::model
