// Bytes to clean UTF-8: the one place where the corpus calls the text module's charset decision,
// conversion, mojibake repair and normalisation.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"

namespace plinth::corpus {

struct DecodedText {
  std::string text;     // UTF-8, without byte order mark, line ends '\n'
  std::string charset;  // "utf-8", "gb18030", ...
};

// declared: what the file itself says (an HTML meta tag); a hint that the bytes may overrule.
Result<DecodedText> decode_text(std::string_view bytes, std::string_view declared = {});

struct CleanText {
  std::string text;
  bool repaired = false;    // mojibake was undone
  bool normalised = false;  // NFKC or white space changed something
};

// Repairs mojibake, normalises compatibility characters (digits keep their values, Chinese
// punctuation stays Chinese), drops control and zero-width characters, trims line ends and squeezes
// runs of blank lines. Page marks stay.
CleanText clean_text(std::string_view text);

}  // namespace plinth::corpus
