// The GPT-2 byte alphabet: every byte shown as one printable character, so that tokens of raw bytes
// can live in JSON. Printable Latin-1 bytes stand for themselves, the other 68 for U+0100 onwards.
// Source: openai/gpt-2, src/encoder.py, bytes_to_unicode().
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace plinth::text {

// Bytes as characters: " a" -> "Ġa".
std::string to_byte_alphabet(std::string_view bytes);

// The reverse; nothing when a character is not of the alphabet.
std::optional<std::string> from_byte_alphabet(std::string_view text);

}  // namespace plinth::text
