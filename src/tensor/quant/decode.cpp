// Quantised blocks to floats, as plainly as their layouts are written. cpu/blocks-inl.h does the
// same in vectors and must agree bit for bit.
#include "core/check.h"
#include "tensor/quant/codec.h"
#include "tensor/quant/layout.h"

namespace plinth::tensor {
namespace {

// Code i of 32 that lie in 16 bytes, low then high.
int nibble(const uint8_t* low, int i) {
  return i < 16 ? low[i] & 15 : low[i - 16] >> 4;
}

// Its fifth bit, in place.
int fifth(const uint8_t* bits, int i) {
  return (bits[i / 8] >> i % 8 & 1) << 4;
}

float scaled(float scale, int code) {
  return scale * static_cast<float>(code);
}

void decode(const BlockQ8_0& block, float* out) {
  const float d = block.d.value();
  for (int i = 0; i < kBlock; ++i) out[i] = scaled(d, static_cast<int8_t>(block.q[i]));
}

void decode(const BlockQ4_0& block, float* out) {
  const float d = block.d.value();
  for (int i = 0; i < kBlock; ++i) out[i] = scaled(d, nibble(block.low, i) - 8);
}

void decode(const BlockQ4_1& block, float* out) {
  const float d = block.d.value();
  const float m = block.m.value();
  for (int i = 0; i < kBlock; ++i) out[i] = scaled(d, nibble(block.low, i)) + m;
}

void decode(const BlockQ5_0& block, float* out) {
  const float d = block.d.value();
  for (int i = 0; i < kBlock; ++i)
    out[i] = scaled(d, (nibble(block.low, i) | fifth(block.fifth, i)) - 16);
}

void decode(const BlockQ5_1& block, float* out) {
  const float d = block.d.value();
  const float m = block.m.value();
  for (int i = 0; i < kBlock; ++i)
    out[i] = scaled(d, nibble(block.low, i) | fifth(block.fifth, i)) + m;
}

// Code i of block j, four bits.
int nibble_of_pair(const uint8_t* low, int j, int i) {
  const int byte = low[j / 2 * kBlock + i];
  return j % 2 == 0 ? byte & 15 : byte >> 4;
}

template <typename Block, typename Code>
void decode_k(const Block& block, const Code& code, float* out) {
  const SixBits six = unpack_six_bits(block.scales);
  for (int j = 0; j < kSuperBlock / kBlock; ++j) {
    const float scale = block.d.value() * static_cast<float>(six.scale[j]);
    const float minimum = block.m.value() * static_cast<float>(six.minimum[j]);
    for (int i = 0; i < kBlock; ++i) out[j * kBlock + i] = scaled(scale, code(j, i)) - minimum;
  }
}

void decode(const BlockQ4_K& block, float* out) {
  decode_k(
      block, [&](int j, int i) { return nibble_of_pair(block.low, j, i); }, out);
}

void decode(const BlockQ5_K& block, float* out) {
  decode_k(
      block,
      [&](int j, int i) {
        return nibble_of_pair(block.low, j, i) | (block.fifth[i] >> j & 1) << 4;
      },
      out);
}

void decode(const BlockQ6_K& block, float* out) {
  const float d = block.d.value();
  for (int at = 0; at < kSuperBlock; ++at) {
    const int h = at / 128;
    const int t = at / 32 % 4;
    const int i = at % 32;
    const int byte = block.low[64 * h + 32 * (t % 2) + i];
    const int low = t < 2 ? byte & 15 : byte >> 4;
    const int high = block.high[32 * h + i] >> 2 * t & 3;
    const float scale = scaled(d, static_cast<int8_t>(block.scales[at / 16]));
    out[at] = scaled(scale, (low | high << 4) - 32);
  }
}

template <typename Block>
void decode_bytes(const uint8_t* bytes, float* out) {
  Block block;
  std::memcpy(&block, bytes, sizeof block);
  decode(block, out);
}

using Decode = void (*)(const uint8_t* bytes, float* out);

// In the order of DType.
constexpr Decode kDecoders[] = {
    nullptr,
    nullptr,
    nullptr,
    decode_bytes<BlockQ8_0>,
    decode_bytes<BlockQ4_0>,
    decode_bytes<BlockQ5_0>,
    decode_bytes<BlockQ4_1>,
    decode_bytes<BlockQ5_1>,
    decode_bytes<BlockQ4_K>,
    decode_bytes<BlockQ5_K>,
    decode_bytes<BlockQ6_K>,
};
static_assert(std::size(kDecoders) == kDTypes.size());

}  // namespace

void decode_block(DType type, const uint8_t* block, float* out) {
  PLINTH_DCHECK(is_quantised(type), "{} has no blocks", dtype_name(type));
  kDecoders[static_cast<size_t>(type)](block, out);
}

}  // namespace plinth::tensor
