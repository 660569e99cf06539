// Any bytes as a chat template: refused, or rendered within the limits.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/check.h"
#include "text/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace plinth::text;  // NOLINT(google-build-using-namespace): one function
  const auto parsed = ChatTemplate::parse({reinterpret_cast<const char*>(data), size});
  if (!parsed) return 0;
  const OrderedJson messages = {{{"role", "system"}, {"content", "你是助手"}},
                                {{"role", "user"}, {"content", "a b\nc"}}};
  const auto text = parsed->render(messages, ChatOptions{});
  if (text) PLINTH_CHECK(text->size() <= (size_t{16} << 20), "{} bytes", text->size());
  return 0;
}
