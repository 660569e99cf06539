// Any bytes as a document: every step gives valid UTF-8.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/check.h"
#include "text/encoding.h"
#include "text/unicode.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace plinth::text;  // NOLINT(google-build-using-namespace): one function
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Decoded decoded = decode_text(bytes);
  PLINTH_CHECK(is_valid_utf8(decoded.text), "decoded text is not UTF-8");
  PLINTH_CHECK(is_valid_utf8(repair_mojibake(decoded.text).text), "repaired text is not UTF-8");
  const std::string normal = normalize_text(bytes);
  PLINTH_CHECK(is_valid_utf8(normal), "normal text is not UTF-8");
  PLINTH_CHECK(normalize_text(normal) == normal, "normalising twice changes the text");
  PLINTH_CHECK(is_valid_utf8(to_valid_utf8(bytes)), "to_valid_utf8 is not UTF-8");
  return 0;
}
