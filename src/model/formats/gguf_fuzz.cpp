#include <cstddef>
#include <cstdint>

#include "model/loader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)plinth::model::load_gguf(std::as_bytes(std::span(data, size)), "fuzz",
                                 std::make_shared<plinth::model::WeightStorage>());
  return 0;
}
