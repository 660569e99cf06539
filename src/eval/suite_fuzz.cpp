#include <cstddef>
#include <cstdint>
#include <string_view>

#include "eval/characters.h"
#include "eval/suite.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)plinth::eval::parse_jsonl_suite(text, "fuzz");
  (void)plinth::eval::parse_text_suite(text, "fuzz");
  (void)plinth::eval::normalised(text);
  return 0;
}
