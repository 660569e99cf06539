#include "text/byte_alphabet.h"

#include <array>
#include <cstdint>

#include "text/unicode.h"

namespace plinth::text {

namespace {

constexpr int kFirstStandIn = 0x100;
constexpr int kStandIns = 68;

constexpr bool shows_itself(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

struct Alphabet {
  std::array<int32_t, 256> code_of{};
  std::array<int16_t, kFirstStandIn + kStandIns> byte_of{};  // -1: not in the alphabet
};

constexpr Alphabet make_alphabet() {
  Alphabet alphabet;
  for (auto& byte : alphabet.byte_of) byte = -1;
  int stand_in = kFirstStandIn;
  for (int byte = 0; byte < 256; ++byte) {
    const int code = shows_itself(byte) ? byte : stand_in++;
    alphabet.code_of[static_cast<size_t>(byte)] = code;
    alphabet.byte_of[static_cast<size_t>(code)] = static_cast<int16_t>(byte);
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = make_alphabet();

}  // namespace

std::string to_byte_alphabet(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char byte : bytes)
    append_utf8(kAlphabet.code_of[static_cast<unsigned char>(byte)], out);
  return out;
}

std::optional<std::string> from_byte_alphabet(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const Utf8Char c = utf8_at(text, at);
    if (c.code < 0 || c.code >= kFirstStandIn + kStandIns) return std::nullopt;
    const int16_t byte = kAlphabet.byte_of[static_cast<size_t>(c.code)];
    if (byte < 0) return std::nullopt;
    out += static_cast<char>(byte);
    at += static_cast<size_t>(c.length);
  }
  return out;
}

}  // namespace plinth::text
