// The constants of GGUF version 3. All numbers are little-endian.
// Source: docs/gguf.md and include/ggml.h of ggml-org/ggml.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string_view>

#include "tensor/tensor.h"

namespace plinth::model {

static_assert(std::endian::native == std::endian::little, "files are read in place");

inline constexpr uint32_t kGgufMagic = 0x46554747;  // "GGUF"
inline constexpr uint32_t kGgufVersion = 3;
inline constexpr uint32_t kGgufAlignment = 32;  // where general.alignment is silent

// general.type of an adapter; bases have another, or none.
inline constexpr std::string_view kGgufAdapter = "adapter";

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

// A tensor type that the tensor module computes with: its id in a tensor's entry (enum ggml_type),
// and the general.file_type of a file whose matrices are mostly of it (enum llama_ftype; the "S"
// mixture for K types).
struct GgufTensorType {
  tensor::DType type;
  uint32_t id;
  uint32_t file_type;
};

// In the order of tensor::DType.
inline constexpr std::array<GgufTensorType, tensor::kDTypes.size()> kGgufTensorTypes = {{
    {tensor::DType::kF32, 0, 0},
    {tensor::DType::kF16, 1, 1},
    {tensor::DType::kBF16, 30, 32},
    {tensor::DType::kQ8_0, 8, 7},
    {tensor::DType::kQ4_0, 2, 2},
    {tensor::DType::kQ5_0, 6, 8},
    {tensor::DType::kQ4_1, 3, 3},
    {tensor::DType::kQ5_1, 7, 9},
    {tensor::DType::kQ4_K, 12, 14},
    {tensor::DType::kQ5_K, 13, 16},
    {tensor::DType::kQ6_K, 14, 18},
}};

constexpr const GgufTensorType& gguf_tensor_type(tensor::DType type) {
  return kGgufTensorTypes[static_cast<size_t>(type)];
}

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
