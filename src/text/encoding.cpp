#include "text/encoding.h"

#include <unicode/ucnv.h>
#include <unicode/ucnv_err.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>

#include "core/check.h"
#include "text/plausibility.h"
#include "text/unicode.h"

namespace plinth::text {

namespace {

constexpr size_t kSampleBytes = 64 << 10;
// Mostly the beginning of the sample is enough: when one reading of it is this much likelier.
constexpr size_t kFirstSampleBytes = 4 << 10;
constexpr double kClearBits = 1000;

// This many well-formed characters beyond ASCII and nothing broken is UTF-8: text in another
// charset gets there with a probability below 2^-30.
constexpr int kSureUtf8Characters = 8;

const char* icu_name(Charset charset) {
  switch (charset) {
    case Charset::kUtf8:
      return "UTF-8";
    case Charset::kGb18030:
      return "gb18030";
    case Charset::kBig5:
      return "Big5-HKSCS";
    case Charset::kUtf16Le:
      return "UTF-16LE";
    case Charset::kUtf16Be:
      return "UTF-16BE";
    case Charset::kLatin1:
      return "windows-1252";
  }
  return "UTF-8";
}

using Converter = std::unique_ptr<UConverter, decltype(&ucnv_close)>;

// The converters are part of ICU's data library: one that does not open is a broken installation.
Converter open_converter(Charset charset) {
  UErrorCode error = U_ZERO_ERROR;
  Converter converter(ucnv_open(icu_name(charset), &error), &ucnv_close);
  PLINTH_CHECK(U_SUCCESS(error), "ICU has no converter {}", icu_name(charset));
  return converter;
}

// ICU's callback for bytes without a character: counts them, then substitutes U+FFFD.
void count_replaced(const void* context, UConverterToUnicodeArgs* args, const char* units,
                    int32_t length, UConverterCallbackReason reason, UErrorCode* error) {
  if (reason <= UCNV_IRREGULAR) *static_cast<int64_t*>(const_cast<void*>(context)) += length;
  UCNV_TO_U_CALLBACK_SUBSTITUTE(nullptr, args, units, length, reason, error);
}

struct Utf16 {
  std::u16string text;
  int64_t bytes_replaced = 0;
};

// `whole`: a character cut off at the end counts as broken; otherwise it is left out.
Utf16 to_utf16(std::string_view bytes, Charset charset, bool whole) {
  Utf16 out;
  const Converter converter = open_converter(charset);
  UErrorCode error = U_ZERO_ERROR;
  ucnv_setToUCallBack(converter.get(), &count_replaced, &out.bytes_replaced, nullptr, nullptr,
                      &error);
  std::array<char16_t, 8192> block;
  const char* source = bytes.data();
  const char* const source_end = source + bytes.size();
  do {
    char16_t* target = block.data();
    error = U_ZERO_ERROR;
    ucnv_toUnicode(converter.get(), &target, block.data() + block.size(), &source, source_end,
                   nullptr, static_cast<UBool>(whole), &error);
    out.text.append(block.data(), static_cast<size_t>(target - block.data()));
  } while (error == U_BUFFER_OVERFLOW_ERROR);
  return out;
}

std::string to_utf8(std::u16string_view text) {
  std::string out;
  out.reserve(text.size() * 3);
  for (size_t at = 0; at < text.size();) {
    uint32_t code = text[at++];
    if (code >= 0xD800 && code < 0xE000) {
      const bool pair =
          code < 0xDC00 && at < text.size() && text[at] >= 0xDC00 && text[at] < 0xE000;
      code = pair ? 0x10000 + ((code - 0xD800) << 10) + (text[at++] - 0xDC00u) : 0xFFFD;
    }
    append_utf8(static_cast<int32_t>(code), out);
  }
  return out;
}

struct Bom {
  std::string_view bytes;
  Charset charset;
};

constexpr std::array<Bom, 4> kBoms = {{
    {"\xEF\xBB\xBF", Charset::kUtf8},
    {"\x84\x31\x95\x33", Charset::kGb18030},
    {"\xFF\xFE", Charset::kUtf16Le},
    {"\xFE\xFF", Charset::kUtf16Be},
}};

// What the charsets are told apart by: from a little before the first byte that is not ASCII.
// Begins at an even offset, for UTF-16.
std::string_view sample_of(std::string_view bytes) {
  const auto plain = [](char c) { return c != 0 && static_cast<unsigned char>(c) < 0x80; };
  const auto first =
      static_cast<size_t>(std::find_if_not(bytes.begin(), bytes.end(), plain) - bytes.begin());
  const size_t start = first == bytes.size() || first < 256 ? 0 : (first - 256) & ~size_t{1};
  return bytes.substr(start, kSampleBytes);
}

bool surely_utf8(std::string_view bytes) {
  int beyond_ascii = 0;
  for (size_t at = 0; at < bytes.size();) {
    const Utf8Char c = utf8_at(bytes, at);
    // UTF-16 of Latin text is well-formed UTF-8 full of NULs.
    if (c.code <= 0) return false;
    if (c.code >= 0x80) ++beyond_ascii;
    at += static_cast<size_t>(c.length);
  }
  return beyond_ascii == 0 || beyond_ascii >= kSureUtf8Characters;
}

// GB18030's two-byte characters by lead and trail byte, 0 where there is none: as ICU reads them.
class GbPairs {
 public:
  GbPairs() {
    std::string pair(2, '\0');
    for (unsigned lead = kLead; lead < 0xFF; ++lead)
      for (unsigned trail = kTrail; trail < 0xFF; ++trail) {
        pair[0] = static_cast<char>(lead);
        pair[1] = static_cast<char>(trail);
        const Utf16 one = to_utf16(pair, Charset::kGb18030, true);
        if (one.bytes_replaced == 0 && one.text.size() == 1) slot(lead, trail) = one.text[0];
      }
  }

  // False at the first byte that is neither ASCII nor of such a pair; out is then of no use.
  bool decode(std::string_view bytes, std::string& out) const {
    out.resize(bytes.size() + bytes.size() / 2 + 1);  // two bytes become at most three
    char* to = out.data();
    for (size_t at = 0; at < bytes.size();) {
      const auto lead = static_cast<unsigned char>(bytes[at]);
      if (lead < 0x80) {
        *to++ = bytes[at++];
        continue;
      }
      if (lead < kLead || lead == 0xFF || at + 1 == bytes.size()) return false;
      const auto trail = static_cast<unsigned char>(bytes[at + 1]);
      if (trail < kTrail || trail == 0xFF) return false;
      const char16_t code = codes_[(lead - kLead) * kTrails + trail - kTrail];
      if (code >= 0x800) {
        *to++ = static_cast<char>(0xE0 | code >> 12);
        *to++ = static_cast<char>(0x80 | (code >> 6 & 0x3F));
      } else {
        if (code < 0x80) return false;  // 0: no such pair; ASCII has no pairs
        *to++ = static_cast<char>(0xC0 | code >> 6);
      }
      *to++ = static_cast<char>(0x80 | (code & 0x3F));
      at += 2;
    }
    out.resize(static_cast<size_t>(to - out.data()));
    return true;
  }

 private:
  static constexpr unsigned kLead = 0x81, kTrail = 0x40, kTrails = 0xFF - kTrail;

  char16_t& slot(unsigned lead, unsigned trail) {
    return codes_[(lead - kLead) * kTrails + trail - kTrail];
  }

  std::array<char16_t, (0xFF - kLead) * kTrails> codes_{};
};

double reading_bits(std::string_view sample, Charset charset) {
  return text_bits(to_utf16(sample, charset, false).text);
}

CharsetGuess likeliest(std::string_view sample) {
  CharsetGuess best;
  double best_bits = std::numeric_limits<double>::infinity();
  double second_bits = best_bits;
  for (const Charset charset : {Charset::kUtf8, Charset::kGb18030, Charset::kBig5,
                                Charset::kUtf16Le, Charset::kUtf16Be, Charset::kLatin1}) {
    const double bits = reading_bits(sample, charset);
    if (bits < best_bits) {
      second_bits = best_bits;
      best_bits = bits;
      best.charset = charset;
    } else {
      second_bits = std::min(second_bits, bits);
    }
  }
  best.margin_bits = second_bits - best_bits;
  return best;
}

}  // namespace

std::string_view charset_name(Charset charset) {
  switch (charset) {
    case Charset::kUtf8:
      return "UTF-8";
    case Charset::kGb18030:
      return "GB18030";
    case Charset::kBig5:
      return "Big5";
    case Charset::kUtf16Le:
      return "UTF-16LE";
    case Charset::kUtf16Be:
      return "UTF-16BE";
    case Charset::kLatin1:
      return "windows-1252";
  }
  return {};
}

CharsetGuess detect_charset(std::string_view bytes) {
  constexpr double kSure = 1e6;
  for (const Bom& bom : kBoms)
    if (bytes.starts_with(bom.bytes))
      return {bom.charset, static_cast<int>(bom.bytes.size()), kSure};
  if (surely_utf8(bytes)) return {Charset::kUtf8, 0, kSure};

  const std::string_view sample = sample_of(bytes);
  const CharsetGuess guess = likeliest(sample.substr(0, kFirstSampleBytes));
  if (guess.margin_bits >= kClearBits || sample.size() <= kFirstSampleBytes) return guess;
  return likeliest(sample);
}

Decoded decode_as(std::string_view bytes, Charset charset) {
  Decoded out;
  out.charset = charset;
  if (charset == Charset::kUtf8 && is_valid_utf8(bytes)) {
    out.text = bytes;
    return out;
  }
  if (charset == Charset::kGb18030) {
    static const GbPairs pairs;
    if (pairs.decode(bytes, out.text)) return out;
  }
  const Utf16 text = to_utf16(bytes, charset, true);
  out.text = to_utf8(text.text);
  out.bytes_replaced = text.bytes_replaced;
  return out;
}

Decoded decode_text(std::string_view bytes) {
  const CharsetGuess guess = detect_charset(bytes);
  Decoded out = decode_as(bytes.substr(static_cast<size_t>(guess.bom_bytes)), guess.charset);
  out.margin_bits = guess.margin_bits;
  return out;
}

std::optional<std::string> encode_as(std::string_view utf8, Charset charset) {
  const Converter converter = open_converter(charset);
  UErrorCode error = U_ZERO_ERROR;
  ucnv_setFromUCallBack(converter.get(), UCNV_FROM_U_CALLBACK_STOP, nullptr, nullptr, nullptr,
                        &error);
  if (U_FAILURE(error) || utf8.size() > INT32_MAX / 4) return std::nullopt;
  const auto text = icu::UnicodeString::fromUTF8(
      icu::StringPiece(utf8.data(), static_cast<int32_t>(utf8.size())));
  std::string out(static_cast<size_t>(text.length()) * 4 + 8, '\0');
  const int32_t length =
      ucnv_fromUChars(converter.get(), out.data(), static_cast<int32_t>(out.size()),
                      text.getBuffer(), text.length(), &error);
  if (U_FAILURE(error)) return std::nullopt;
  out.resize(static_cast<size_t>(length));
  return out;
}

}  // namespace plinth::text
