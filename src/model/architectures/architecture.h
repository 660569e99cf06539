// An architecture: which flags of ModelConfig it sets, and where a Hugging Face folder and a GGUF
// file keep its numbers and tensors. Each has a file of its own beside this one; how to add one is
// told in docs/architecture.md.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "model/model.h"
#include "model/tensor_names.h"

namespace plinth::model {

struct Architecture {
  std::string_view name;        // GGUF's general.architecture, and ModelConfig::architecture
  std::string_view class_name;  // in "architectures" of config.json
  const TensorNames& (*checkpoint_names)() = llama_names;
  const TensorNames& (*gguf_names)() = model::gguf_names;
  // Some checkpoints begin every tensor's name with this, some leave it out.
  std::string_view checkpoint_prefix = {};
  // How each format lays out the rows of q and k.
  tensor::RopeStyle checkpoint_rope = tensor::RopeStyle::kHalves;
  tensor::RopeStyle gguf_rope = tensor::RopeStyle::kHalves;
  // Sets the flags that every model of this architecture has. Called after the keys are read, and
  // to check a config that came from elsewhere. Null: none.
  void (*define)(ModelConfig& config) = nullptr;
  // Fills a config from config.json, or says what of it is not implemented.
  Status (*read_checkpoint)(const Json& json, ModelConfig& config) = nullptr;
  // Every n-th layer of a GGUF file goes without RoPE, which no key says; 0: all layers rotate.
  int64_t gguf_unrotated_interval = 0;
};

// ModelConfig::unrotated with every interval-th of `layers` set; empty for interval 0.
std::vector<bool> every_nth_layer(int64_t interval, int64_t layers);

// kUnimplemented names the architecture, or the class, and those that are known.
Result<const Architecture*> architecture_of_name(std::string_view name);
Result<const Architecture*> architecture_of_class(std::string_view class_name);

// Is the architecture one that is implemented, and are the config's flags what it is made of?
Status check_architecture(const ModelConfig& config);

const Architecture& ernie4_5();
const Architecture& gpt2();
const Architecture& hunyuan_dense();
const Architecture& llama();
const Architecture& mistral();
const Architecture& qwen2();
const Architecture& qwen3();
const Architecture& smollm3();

}  // namespace plinth::model
