#include <cstddef>
#include <cstdint>

#include "corpus/read/fuzz_entries.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  plinth::corpus::fuzz_jsonl({reinterpret_cast<const char*>(data), size});
  return 0;
}
