// Llama 1 to 3, and what was made in its image: SmolLM, SmolLM2, Yi, DeepSeek LLM, TinyLlama.
// GGUF files keep the halves of each head interleaved.
// Source: models/llama of transformers; LlamaModel in convert_hf_to_gguf.py of llama.cpp.
#include "model/architectures/architecture.h"
#include "model/architectures/checkpoint_keys.h"

namespace plinth::model {

const Architecture& llama() {
  static constexpr Architecture self{.name = "llama",
                                     .class_name = "LlamaForCausalLM",
                                     .gguf_rope = tensor::RopeStyle::kInterleaved,
                                     .read_checkpoint = [](const Json& json, ModelConfig& config) {
                                       return read_llama_keys(json, {}, config);
                                     }};
  return self;
}

}  // namespace plinth::model
