// What a tokenizer does to text before it splits it, as its spec says: Unicode forms,
// SentencePiece's map, spaces. Source of the order of steps: Normalizer::Normalize in
// google/sentencepiece.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"
#include "text/charsmap.h"
#include "text/special_matcher.h"
#include "text/tokenizer.h"

namespace plinth::text {

// "▁", U+2581, which stands for a space in tokens.
inline constexpr std::string_view kSpaceMark = "\xE2\x96\x81";

// Immutable once built; any thread.
class Normalizer {
 public:
  static Result<Normalizer> create(const TokenizerSpec& spec);

  // Whether every text stays as it is.
  bool is_identity() const { return !nfc_ && keeps_bytes_ && prefix_ == SpacePrefix::kNone; }

  // `first`: the text begins here. `verbatim`: strings that stay as they are, or null.
  std::string apply(std::string_view text, bool first, const SpecialMatcher* verbatim) const;

 private:
  void add_prefix(bool first, std::string& text) const;
  std::string mapped(std::string_view text, bool prefix, const SpecialMatcher* verbatim) const;

  bool nfc_ = false;
  bool keeps_bytes_ = false;  // byte-level: nothing but NFC and the prefix
  bool trim_spaces_ = false;
  bool prefix_at_end_ = false;
  SpacePrefix prefix_ = SpacePrefix::kNone;
  std::string_view space_ = " ";
  std::shared_ptr<const Charsmap> map_;  // shared by copies; immutable
};

}  // namespace plinth::text
