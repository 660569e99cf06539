#include "text/unicode.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>

namespace plinth::text {

namespace {

// Bytes of the longest prefix of a well-formed character at text[at], where utf8_at() refused it:
// what one U+FFFD stands for.
int broken_length(std::string_view text, size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  const int want = lead >= 0xF0 && lead <= 0xF4 ? 4 : lead >= 0xE0 ? 3 : 1;
  if (lead < 0xE0 || lead > 0xF4) return 1;
  int length = 1;
  while (length < want - 1 && at + static_cast<size_t>(length) < text.size()) {
    const auto next = static_cast<unsigned char>(text[at + static_cast<size_t>(length)]);
    unsigned low = 0x80;
    unsigned high = 0xBF;
    if (length == 1) {
      if (lead == 0xE0) low = 0xA0;
      if (lead == 0xED) high = 0x9F;
      if (lead == 0xF0) low = 0x90;
      if (lead == 0xF4) high = 0x8F;
    }
    if (next < low || next > high) break;
    ++length;
  }
  return length;
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
  const auto follows = [&](size_t i) {
    return (static_cast<unsigned char>(text[i]) & 0xC0) == 0x80;
  };
  for (size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at]);
    if (lead < 0x80) {
      ++at;
      continue;
    }
    // Three bytes in which nothing is overlong and nothing a surrogate: most of Chinese text.
    if (lead > 0xE0 && lead < 0xED && text.size() - at >= 3 && follows(at + 1) && follows(at + 2)) {
      at += 3;
      continue;
    }
    const Utf8Char c = utf8_at(text, at);
    if (c.code < 0) return false;
    at += static_cast<size_t>(c.length);
  }
  return true;
}

void append_utf8(int32_t code, std::string& out) {
  const auto c = static_cast<uint32_t>(code);
  const auto put = [&out](uint32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6);
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3F));
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

std::string to_valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const Utf8Char c = utf8_at(text, at);
    if (c.code >= 0) {
      out.append(text, at, static_cast<size_t>(c.length));
      at += static_cast<size_t>(c.length);
    } else {
      out += "\xEF\xBF\xBD";
      at += static_cast<size_t>(broken_length(text, at));
    }
  }
  return out;
}

std::string to_nfc(std::string_view text) {
  static const icu::Normalizer2* const nfc = [] {
    UErrorCode failed = U_ZERO_ERROR;
    const icu::Normalizer2* const instance = icu::Normalizer2::getNFCInstance(failed);
    return U_FAILURE(failed) ? nullptr : instance;
  }();
  if (nfc == nullptr || text.size() > INT32_MAX || !is_valid_utf8(text)) return std::string(text);
  UErrorCode error = U_ZERO_ERROR;
  const icu::StringPiece piece(text.data(), static_cast<int32_t>(text.size()));
  if (nfc->isNormalizedUTF8(piece, error) && U_SUCCESS(error)) return std::string(text);
  std::string out;
  icu::StringByteSink<std::string> sink(&out, static_cast<int32_t>(text.size()));
  error = U_ZERO_ERROR;
  nfc->normalizeUTF8(0, piece, sink, nullptr, error);
  return U_SUCCESS(error) ? out : std::string(text);
}

}  // namespace plinth::text
