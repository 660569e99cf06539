// The quantised blocks of GGUF, byte by byte. All fields are little-endian, blocks follow each
// other without gaps, and nothing is aligned: every field here is bytes.
//
// Source: ggml-common.h and docs/gguf.md of ggml-org/ggml. In the comments q is a code, d and m are
// F16 fields, and "low then high" means that byte i holds element i in its low four bits and the
// element half a run later in its high four.
#pragma once

#include <cstdint>
#include <cstring>

#include "tensor/half.h"
#include "tensor/tensor.h"

namespace plinth::tensor {

inline constexpr int kBlock = 32;        // elements that share a scale, or half that in Q6_K
inline constexpr int kSuperBlock = 256;  // elements of a K block

struct F16Bytes {
  uint8_t bytes[2];

  uint16_t bits() const {
    uint16_t value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
  }

  float value() const { return f16_to_f32(bits()); }

  // Returns what was kept.
  float set(float value) {
    const uint16_t rounded = f32_to_f16(value);
    std::memcpy(bytes, &rounded, sizeof rounded);
    return f16_to_f32(rounded);
  }
};

// value = d * q, q signed
struct BlockQ8_0 {
  F16Bytes d;
  uint8_t q[32];
};

// value = d * (q - 8)
struct BlockQ4_0 {
  F16Bytes d;
  uint8_t low[16];  // low then high
};

// value = d * q + m
struct BlockQ4_1 {
  F16Bytes d;
  F16Bytes m;
  uint8_t low[16];
};

// value = d * (q - 16); bit i of `fifth` is the highest of element i's five
struct BlockQ5_0 {
  F16Bytes d;
  uint8_t fifth[4];
  uint8_t low[16];
};

// value = d * q + m
struct BlockQ5_1 {
  F16Bytes d;
  F16Bytes m;
  uint8_t fifth[4];
  uint8_t low[16];
};

// Eight blocks of 32, each with a six-bit scale s and minimum k: value = d * s * q - m * k.
struct BlockQ4_K {
  F16Bytes d;
  F16Bytes m;
  uint8_t scales[12];  // see SixBits
  uint8_t low[128];    // 32 bytes for each pair of blocks, low then high
};

struct BlockQ5_K {
  F16Bytes d;
  F16Bytes m;
  uint8_t scales[12];
  uint8_t fifth[32];  // bit j of byte i: the highest bit of element i of block j
  uint8_t low[128];
};

// Sixteen blocks of 16, each with a signed eight-bit scale s: value = d * s * (q - 32).
// Element 128 h + 32 t + i has its low four bits in low[64 h + 32 (t % 2) + i], the low half of the
// byte for t < 2, and its high two bits in bits 2 t of high[32 h + i].
struct BlockQ6_K {
  uint8_t low[128];
  uint8_t high[64];
  uint8_t scales[16];
  F16Bytes d;
};

static_assert(sizeof(BlockQ8_0) == traits(DType::kQ8_0).bytes);
static_assert(sizeof(BlockQ4_0) == traits(DType::kQ4_0).bytes);
static_assert(sizeof(BlockQ4_1) == traits(DType::kQ4_1).bytes);
static_assert(sizeof(BlockQ5_0) == traits(DType::kQ5_0).bytes);
static_assert(sizeof(BlockQ5_1) == traits(DType::kQ5_1).bytes);
static_assert(sizeof(BlockQ4_K) == traits(DType::kQ4_K).bytes);
static_assert(sizeof(BlockQ5_K) == traits(DType::kQ5_K).bytes);
static_assert(sizeof(BlockQ6_K) == traits(DType::kQ6_K).bytes);

// The twelve bytes of scales in Q4_K and Q5_K, taken apart: bytes 0..3 hold scales 0..3 and bytes
// 4..7 minima 0..3, six bits each; bytes 8..11 hold the low four bits of scales and minima 4..7,
// whose high two bits are the high two of the first eight bytes.
struct SixBits {
  uint8_t scale[8];
  uint8_t minimum[8];
};

inline SixBits unpack_six_bits(const uint8_t packed[12]) {
  uint32_t word[3];
  std::memcpy(word, packed, sizeof word);
  const uint32_t parts[4] = {
      word[0] & 0x3f3f3f3fu,
      (word[2] & 0x0f0f0f0fu) | (word[0] >> 2 & 0x30303030u),
      word[1] & 0x3f3f3f3fu,
      (word[2] >> 4 & 0x0f0f0f0fu) | (word[1] >> 2 & 0x30303030u),
  };
  SixBits six;
  std::memcpy(&six, parts, sizeof six);
  return six;
}

inline void pack_six_bits(const SixBits& six, uint8_t packed[12]) {
  for (int i = 0; i < 4; ++i) {
    packed[i] = static_cast<uint8_t>(six.scale[i] | six.scale[i + 4] >> 4 << 6);
    packed[i + 4] = static_cast<uint8_t>(six.minimum[i] | six.minimum[i + 4] >> 4 << 6);
    packed[i + 8] = static_cast<uint8_t>((six.scale[i + 4] & 15) | six.minimum[i + 4] << 4);
  }
}

}  // namespace plinth::tensor
