// SmolLM3: a Llama in which every fourth layer does not rotate q and k.
// Source: models/smollm3 of transformers; src/models/smollm3.cpp of llama.cpp.
#include "model/architectures/architecture.h"
#include "model/architectures/checkpoint_keys.h"

namespace plinth::model {
namespace {

constexpr int64_t kInterval = 4;

Status read_checkpoint(const Json& json, ModelConfig& config) {
  PLINTH_TRY(read_llama_keys(json, {.rope_theta = 2000000.0, .tied = true}, config));
  const auto list = json.find("no_rope_layers");
  if (list == json.end() || list->is_null()) {
    const int64_t interval = int_or(json, "no_rope_layer_interval", kInterval);
    if (interval < 1) return invalid("no_rope_layer_interval {} is below 1", interval);
    config.unrotated = every_nth_layer(interval, config.layers);
    return {};
  }
  if (!list->is_array()) return invalid("'no_rope_layers' is {}, not a list", list->type_name());
  if (static_cast<int64_t>(list->size()) < config.layers)
    return invalid("'no_rope_layers' has {} entries for {} layers", list->size(), config.layers);
  for (const auto& rotates : *list) {
    if (static_cast<int64_t>(config.unrotated.size()) == config.layers) break;
    if (rotates != 0 && rotates != 1) return invalid("'no_rope_layers' holds {}", to_text(rotates));
    config.unrotated.push_back(rotates == 0);  // despite its name, the list says who rotates
  }
  return {};
}

}  // namespace

const Architecture& smollm3() {
  static constexpr Architecture self{.name = "smollm3",
                                     .class_name = "SmolLM3ForCausalLM",
                                     .gguf_rope = tensor::RopeStyle::kInterleaved,
                                     .read_checkpoint = read_checkpoint,
                                     .gguf_unrotated_interval = kInterval};
  return self;
}

}  // namespace plinth::model
