#include <cstddef>
#include <cstdint>

#include "model/loader.h"

namespace {

// The shape that the seeds were made for.
plinth::model::ModelConfig base() {
  plinth::model::ModelConfig config;
  config.architecture = "llama";
  config.vocabulary = 8;
  config.width = 8;
  config.layers = 1;
  config.heads = 2;
  config.kv_heads = 1;
  config.head_dim = 4;
  config.ffn = 32;
  config.context = 8;
  return config;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)plinth::model::load_gguf_adapter(std::as_bytes(std::span(data, size)), "fuzz", base(),
                                         std::make_shared<plinth::model::WeightStorage>());
  return 0;
}
