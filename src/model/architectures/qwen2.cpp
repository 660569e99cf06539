// Qwen2 and Qwen2.5 (dense): a Llama with biases on q, k and v, whatever its config says.
// Source: models/qwen2 of transformers.
#include "model/architectures/architecture.h"
#include "model/architectures/checkpoint_keys.h"

namespace plinth::model {

const Architecture& qwen2() {
  static constexpr Architecture self{
      .name = "qwen2",
      .class_name = "Qwen2ForCausalLM",
      .define =
          [](ModelConfig& config) {
            config.qkv_bias = true;
            config.output_bias = false;
            config.ffn_bias = false;
          },
      .read_checkpoint = [](const Json& json,
                            ModelConfig& config) { return read_llama_keys(json, {}, config); }};
  return self;
}

}  // namespace plinth::model
