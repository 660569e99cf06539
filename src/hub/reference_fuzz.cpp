// Any bytes as a hub reference: refused, or one that its own name leads back to.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/check.h"
#include "hub/hub.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto reference = plinth::hub::parse_reference(text);
  if (!reference) return 0;
  PLINTH_CHECK(plinth::hub::is_reference(text));
  const auto again = plinth::hub::parse_reference(plinth::hub::name_of(*reference));
  PLINTH_CHECK(again.has_value());
  PLINTH_CHECK(again->kind == reference->kind);
  PLINTH_CHECK(again->repository == reference->repository);
  PLINTH_CHECK(again->revision == reference->revision);
  return 0;
}
