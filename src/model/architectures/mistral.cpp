// Mistral: a Llama whose layers may attend within a sliding window. GGUF files call it a llama.
// Source: models/mistral of transformers.
#include "model/architectures/architecture.h"
#include "model/architectures/checkpoint_keys.h"

namespace plinth::model {
namespace {

// The class's own default where the key is missing; null switches the window off.
constexpr int64_t kWindow = 4096;

Status read_checkpoint(const Json& json, ModelConfig& config) {
  PLINTH_TRY(read_llama_keys(json, {}, config));
  limit_to_window(json.contains("sliding_window") ? int_or(json, "sliding_window", 0) : kWindow,
                  config);
  return {};
}

}  // namespace

const Architecture& mistral() {
  static constexpr Architecture self{.name = "llama",
                                     .class_name = "MistralForCausalLM",
                                     .gguf_rope = tensor::RopeStyle::kInterleaved,
                                     .read_checkpoint = read_checkpoint};
  return self;
}

}  // namespace plinth::model
