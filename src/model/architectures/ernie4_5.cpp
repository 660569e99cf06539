// ERNIE 4.5 (dense, Baidu): a Llama whose RoPE turns neighbours, with all biases or none.
// Source: models/ernie4_5 of transformers; Ernie4_5Model in convert_hf_to_gguf.py of llama.cpp.
#include "model/architectures/architecture.h"
#include "model/architectures/checkpoint_keys.h"

namespace plinth::model {
namespace {

Status read_checkpoint(const Json& json, ModelConfig& config) {
  PLINTH_TRY(read_llama_keys(json, {.rope_theta = 500000.0, .tied = true}, config));
  config.qkv_bias = config.output_bias = config.ffn_bias = bool_or(json, "use_bias", false);
  return {};
}

}  // namespace

const Architecture& ernie4_5() {
  static constexpr Architecture self{.name = "ernie4_5",
                                     .class_name = "Ernie4_5ForCausalLM",
                                     .checkpoint_rope = tensor::RopeStyle::kInterleaved,
                                     .gguf_rope = tensor::RopeStyle::kInterleaved,
                                     .read_checkpoint = read_checkpoint};
  return self;
}

}  // namespace plinth::model
