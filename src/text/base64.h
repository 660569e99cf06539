// Base64 of RFC 4648, section 4, with padding: how tokenizer.json carries bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace plinth::text {

std::string to_base64(std::string_view bytes);

// Nothing when a character is not of the alphabet or the length is not a multiple of four.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace plinth::text
