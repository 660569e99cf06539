// Foreign bytes as the body of a chat request.
#include <cstddef>
#include <cstdint>
#include <string>

#include "server/chat_request.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string param;
  const auto request = plinth::server::parse_chat_request(
      std::string(reinterpret_cast<const char*>(data), size), param);
  // Whatever was taken can be answered: there is a conversation, and a length that makes sense.
  if (request && (request->messages.empty() || request->tokens_max.value_or(1) < 1))
    __builtin_trap();
  return 0;
}
