// Any bytes as a SentencePiece model: refused, or a tokenizer that encodes and decodes anything.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/check.h"
#include "text/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto tokenizer = plinth::text::Tokenizer::from_sentencepiece(bytes);
  if (!tokenizer) return 0;
  for (const bool special : {false, true}) {
    for (const int32_t id : (*tokenizer)->encode(bytes, special))
      PLINTH_CHECK(id >= 0 && id < (*tokenizer)->size(), "id {} of {}", id, (*tokenizer)->size());
  }
  (void)(*tokenizer)->decode((*tokenizer)->encode(bytes, false));
  (void)(*tokenizer)->to_json();
  return 0;
}
