// Any bytes as a tokenizer.json: refused, or a tokenizer that round-trips.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/check.h"
#include "text/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto tokenizer = plinth::text::Tokenizer::from_json(text);
  if (!tokenizer) return 0;
  const auto ids = (*tokenizer)->encode(text, false);
  const std::string back = (*tokenizer)->decode(ids);
  PLINTH_CHECK((*tokenizer)->spec().nfc || back == text, "decode(encode(text)) is another text");
  PLINTH_CHECK(plinth::text::Tokenizer::from_json((*tokenizer)->to_json()).has_value(),
               "to_json() is refused by from_json()");
  return 0;
}
