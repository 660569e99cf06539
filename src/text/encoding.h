// Character encodings of raw documents: which one it is, to UTF-8, and undoing wrong conversions.
//
// Free functions without state; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace plinth::text {

enum class Charset {
  kUtf8,     // ASCII too
  kGb18030,  // GB2312 and GBK too
  kBig5,
  kUtf16Le,
  kUtf16Be,
  kLatin1,  // windows-1252
};

// "UTF-8", "GB18030", "Big5", "UTF-16LE", "UTF-16BE", "windows-1252".
std::string_view charset_name(Charset charset);

struct CharsetGuess {
  Charset charset = Charset::kUtf8;
  int bom_bytes = 0;       // a byte order mark to leave out
  double margin_bits = 0;  // how much likelier than the runner-up; below 10 is a guess
};

// Which charset makes the bytes the likeliest text. Looks at a byte order mark, then compares all
// readings of up to 64 KiB around the first byte that is not ASCII. 16 Chinese characters are
// enough to be sure. Bytes that are valid UTF-8 with more than a few characters beyond ASCII are
// UTF-8 at once.
CharsetGuess detect_charset(std::string_view bytes);

struct Decoded {
  std::string text;  // valid UTF-8
  Charset charset = Charset::kUtf8;
  double margin_bits = 0;
  int64_t bytes_replaced = 0;  // bytes that are nothing in this charset; each run became U+FFFD
};

// The bytes in the given charset as UTF-8.
Decoded decode_as(std::string_view bytes, Charset charset);

// detect_charset(), then decode_as() without the byte order mark.
Decoded decode_text(std::string_view bytes);

// UTF-8 in another charset, without a byte order mark; nothing when a character has no place in it.
std::optional<std::string> encode_as(std::string_view utf8, Charset charset);

enum class Mojibake {
  kNone,
  kReadAsGb18030,  // "浣犲ソ" for "你好"
  kReadAsLatin1,   // "ä½ å¥½"
};

struct Repair {
  Mojibake found = Mojibake::kNone;
  std::string text;  // repaired; the input when nothing was found
};

// Undoes UTF-8 text that was read in a wrong charset and saved as UTF-8 again. Repairs only when
// the wrong reading can be reversed exactly, byte for byte, and the result is clearly likelier.
Repair repair_mojibake(std::string_view utf8);

}  // namespace plinth::text
