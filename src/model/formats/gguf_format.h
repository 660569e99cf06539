// The constants of GGUF version 3. All numbers are little-endian.
// Source: docs/gguf.md and include/ggml.h of ggml-org/ggml.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

namespace plinth::model {

static_assert(std::endian::native == std::endian::little, "files are read in place");

inline constexpr uint32_t kGgufMagic = 0x46554747;  // "GGUF"
inline constexpr uint32_t kGgufVersion = 3;
inline constexpr uint32_t kGgufAlignment = 32;  // where general.alignment is silent

enum class GgufType : uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};

// Our own key, a boolean: text is brought to Unicode NFC before it is split.
inline constexpr std::string_view kGgufNfcKey = "plinth.tokenizer.nfc";

// A vector [head_dim / 2]: each pair's RoPE frequency is divided by its entry.
inline constexpr std::string_view kGgufRopeDivisors = "rope_freqs.weight";
// Our own key, a string: settings of the tokenizer that GGUF has no keys for, as JSON
// (text/spec_options.h).
inline constexpr std::string_view kGgufTokenizerKey = "plinth.tokenizer.options";

// tokenizer.ggml.token_type.
enum class GgufTokenType : int32_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

}  // namespace plinth::model
