// SentencePiece's precompiled normalisation: a map from strings to strings, as the bytes that its
// model files carry (normalizer_spec.precompiled_charsmap).
//
//     u32 bytes of the trie   the trie   the replacements, each ending in a zero byte
//
// The trie is a double array of u32 units (darts-clone): a leaf's value is the offset of its
// replacement. Source: src/normalizer.cc of google/sentencepiece; darts.h of s-yata/darts-clone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace plinth::text {

// Immutable once built; any thread. Every index is checked while walking: the bytes are hostile.
class Charsmap {
 public:
  static Result<Charsmap> create(std::string_view bytes);

  struct Match {
    std::string_view replacement;  // lies in this object
    size_t length = 0;             // bytes replaced
  };

  // The longest entry that `text` begins with.
  std::optional<Match> find(std::string_view text) const;

 private:
  std::vector<uint32_t> units_;
  std::string replacements_;  // ends in a zero byte
};

}  // namespace plinth::text
