// repair_mojibake(): reverse the wrong reading, then ask whether what comes out is UTF-8 and text.
#include <array>
#include <optional>

#include "text/encoding.h"
#include "text/plausibility.h"
#include "text/unicode.h"

namespace plinth::text {

namespace {

// The repair must save this many bits, a few characters' worth: genuine text that happens to
// reverse into valid UTF-8 is shorter than that.
constexpr double kGainBits = 16;

// windows-1252 at 0x80..0x9F; its five holes stand for the C1 controls themselves.
// Source: https://encoding.spec.whatwg.org/index-windows-1252.txt
constexpr std::array<uint16_t, 32> kWindows1252 = {
    0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x8D,   0x017D, 0x8F,   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178};

std::optional<char> latin1_byte(int32_t code) {
  if (code >= 0 && code < 0x100) return static_cast<char>(code);
  for (size_t i = 0; i < kWindows1252.size(); ++i)
    if (kWindows1252[i] == code) return static_cast<char>(0x80 + i);
  return std::nullopt;
}

// The bytes that Latin-1 or windows-1252 showed as this text. A text uses one of the two: a C1
// control beside its windows-1252 twin could not be told apart.
std::optional<std::string> bytes_of_latin1(std::string_view utf8) {
  std::string out;
  bool controls = false;
  bool windows = false;
  for (size_t at = 0; at < utf8.size();) {
    const Utf8Char c = utf8_at(utf8, at);
    const auto byte = latin1_byte(c.code);
    if (!byte) return std::nullopt;
    if (c.code > 0xFF) windows = true;
    if (c.code >= 0x80 && c.code < 0xA0 &&
        kWindows1252[static_cast<size_t>(c.code - 0x80)] != c.code)
      controls = true;
    if (windows && controls) return std::nullopt;
    out += *byte;
    at += static_cast<size_t>(c.length);
  }
  return out;
}

std::optional<std::string> bytes_of_gb18030(std::string_view utf8) {
  auto out = encode_as(utf8, Charset::kGb18030);
  if (!out) return out;
  // The way back must lead to the same text.
  const Decoded again = decode_as(*out, Charset::kGb18030);
  if (again.bytes_replaced != 0 || again.text != utf8) return std::nullopt;
  return out;
}

bool is_ascii(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  return true;
}

}  // namespace

Repair repair_mojibake(std::string_view utf8) {
  Repair repair{Mojibake::kNone, std::string(utf8)};
  if (is_ascii(utf8) || !is_valid_utf8(utf8)) return repair;
  double best = text_bits(utf8) - kGainBits;
  const auto consider = [&](Mojibake kind, std::optional<std::string> bytes) {
    if (!bytes || !is_valid_utf8(*bytes) || is_ascii(*bytes)) return;
    const double bits = text_bits(std::string_view(*bytes));
    if (bits >= best) return;
    best = bits;
    repair = {kind, std::move(*bytes)};
  };
  consider(Mojibake::kReadAsLatin1, bytes_of_latin1(utf8));
  consider(Mojibake::kReadAsGb18030, bytes_of_gb18030(utf8));
  return repair;
}

}  // namespace plinth::text
