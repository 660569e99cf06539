// Qwen3 (dense): a Llama that normalises each head of q and k before it rotates them.
// Source: models/qwen3 of transformers.
#include "model/architectures/architecture.h"
#include "model/architectures/checkpoint_keys.h"

namespace plinth::model {

const Architecture& qwen3() {
  static constexpr Architecture self{
      .name = "qwen3",
      .class_name = "Qwen3ForCausalLM",
      .define = [](ModelConfig& config) { config.qk_norm = true; },
      .read_checkpoint = [](const Json& json,
                            ModelConfig& config) { return read_llama_keys(json, {}, config); }};
  return self;
}

}  // namespace plinth::model
