// The algorithms that turn normalised text into tokens, behind one interface.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "text/tokenizer.h"

namespace plinth::text {

// Immutable once built; any thread.
class Subwords {
 public:
  virtual ~Subwords() = default;

  // Appends the ids of a stretch of text without added tokens.
  virtual void encode(std::string_view text, std::vector<int32_t>& out) const = 0;
};

// What each id of a spec is for.
enum class Role : uint8_t {
  kNone,         // no token
  kPiece,        // made from text
  kSpecial,      // TokenizerSpec::special
  kUserDefined,  // TokenizerSpec::user_defined
  kUnused,       // TokenizerSpec::unused
  kByte,         // "<0xE4>" under byte_fallback
  kUnknown,
};

// The spec's token ids with their roles and, for each, the bytes that it stands for.
struct Vocabulary {
  std::vector<Role> roles;
  std::vector<std::string> bytes;
};

// The tokens "<0x00>" to "<0xFF>" by their byte; empty without byte_fallback.
std::vector<int32_t> byte_ids(const TokenizerSpec& spec, const Vocabulary& vocabulary);

// The merges of kBpe that follow from scores, in rank order, as tokenizer.json writes them.
std::vector<std::string> merges_of_scores(const TokenizerSpec& spec, const Vocabulary& vocabulary);

// Each checks what its algorithm needs. The spec and the vocabulary are only read.
Result<std::unique_ptr<const Subwords>> make_byte_bpe(const TokenizerSpec& spec,
                                                      const Vocabulary& vocabulary);
Result<std::unique_ptr<const Subwords>> make_bpe(const TokenizerSpec& spec,
                                                 const Vocabulary& vocabulary);
Result<std::unique_ptr<const Subwords>> make_unigram(const TokenizerSpec& spec,
                                                     const Vocabulary& vocabulary);

}  // namespace plinth::text
