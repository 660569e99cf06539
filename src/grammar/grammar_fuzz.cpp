// Any bytes as a grammar (first byte "g": GBNF) or as a schema (any other): refused, or walked with
// tokens under the mask; a schema's text is JSON wherever it may end.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/check.h"
#include "core/json.h"
#include "core/rng.h"
#include "grammar/grammar.h"
#include "grammar/test_vocabulary.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace plinth;           // NOLINT(google-build-using-namespace): one function
  using namespace plinth::grammar;  // NOLINT(google-build-using-namespace): one function
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const bool gbnf = text.starts_with('g');
  const auto made = gbnf ? Grammar::from_gbnf(text.substr(1)) : Grammar::from_schema(text);
  if (!made) return 0;
  auto matcher = Matcher::create(*made, test_vocabulary());
  PLINTH_CHECK(matcher.has_value(), "every byte is a token");
  Rng rng(size);
  std::string written;
  for (int n = 0; n < 30; ++n) {
    const auto mask = matcher->mask();
    if (!mask) return 0;  // too ambiguous
    std::vector<int32_t> ids;
    for (int32_t id = 0; id < test_vocabulary()->size(); ++id)
      if (allows(*mask, id)) ids.push_back(id);
    if (matcher->can_end() && !gbnf)
      PLINTH_CHECK(parse_json(written, "text", 1000).has_value(), "no JSON: {}", written);
    PLINTH_CHECK(!ids.empty() || matcher->can_end(), "stuck after {}", written);
    if (ids.empty()) return 0;
    const int32_t token = ids[rng.below(ids.size())];
    if (const auto accepted = matcher->accept(token); !accepted) {
      PLINTH_CHECK(accepted.error().code == Code::kResourceExhausted, "{}",
                   accepted.error().message);
      return 0;
    }
    written += test_vocabulary()->bytes(token);
  }
  return 0;
}
