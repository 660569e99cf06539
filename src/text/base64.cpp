#include "text/base64.h"

#include <cstdint>

namespace plinth::text {

namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string to_base64(std::string_view bytes) {
  std::string out;
  for (size_t at = 0; at < bytes.size(); at += 3) {
    uint32_t group = 0;
    const size_t n = std::min<size_t>(3, bytes.size() - at);
    for (size_t i = 0; i < 3; ++i)
      group = group << 8 | (i < n ? static_cast<unsigned char>(bytes[at + i]) : 0u);
    for (size_t i = 0; i < 4; ++i) out += i <= n ? kAlphabet[group >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string out;
  for (size_t at = 0; at < text.size(); at += 4) {
    std::string_view group = text.substr(at, 4);
    if (at + 4 == text.size())
      while (group.size() > 2 && group.ends_with('=')) group.remove_suffix(1);
    uint32_t bits = 0;
    for (const char c : group) {
      const size_t value = kAlphabet.find(c);
      if (value == kAlphabet.npos) return std::nullopt;
      bits = bits << 6 | static_cast<uint32_t>(value);
    }
    bits <<= 6 * (4 - group.size());
    for (size_t i = 0; i + 1 < group.size(); ++i)
      // NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): a group has 4 at most
      out += static_cast<char>(bits >> (16 - 8 * i) & 0xFF);
  }
  return out;
}

}  // namespace plinth::text
