// Any bytes as a hub's answer: refused, or names that are safe to create and sizes that add up.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/check.h"
#include "hub/http.h"
#include "hub/listing.h"
#include "hub/names.h"

namespace {

void check_choice(const plinth::hub::Listing& listing) {
  const auto files = plinth::hub::files_of_base(listing, "");
  if (!files) return;
  for (const auto& file : *files) {
    PLINTH_CHECK(plinth::hub::check_path(file.path).has_value());
    PLINTH_CHECK(file.size >= 0);
    PLINTH_CHECK(file.sha256.empty() || file.sha256.size() == 64);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  plinth::hub::Listing listing;
  if (plinth::hub::append_hugging_face_page(text, listing)) check_choice(listing);
  if (const auto modelscope = plinth::hub::parse_modelscope_listing(text))
    check_choice(*modelscope);
  (void)plinth::hub::parse_hugging_face_commit(text);
  (void)plinth::hub::next_query(text);
  plinth::hub::Answer answer;
  plinth::hub::read_content_range(text, answer);
  return 0;
}
