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
  for (const int32_t id : ids)
    PLINTH_CHECK(id >= 0 && id < (*tokenizer)->size(), "id {} of {}", id, (*tokenizer)->size());
  const std::string back = (*tokenizer)->decode(ids);
  const auto& spec = (*tokenizer)->spec();
  if (spec.algorithm != plinth::text::Algorithm::kByteBpe) return 0;
  const bool all_bytes = (*tokenizer)->encode("\xFF", false).size() == 1;
  const bool exact = all_bytes && !spec.nfc && spec.matching.empty() &&
                     spec.prefix == plinth::text::SpacePrefix::kNone;
  PLINTH_CHECK(!exact || back == text, "decode(encode(text)) is another text");
  PLINTH_CHECK(plinth::text::Tokenizer::from_json((*tokenizer)->to_json()).has_value(),
               "to_json() is refused by from_json()");
  return 0;
}
