#include <cstddef>
#include <cstdint>

#include "model/formats/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)plinth::model::parse_safetensors(std::as_bytes(std::span(data, size)), "fuzz");
  return 0;
}
