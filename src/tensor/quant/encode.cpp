// Floats to quantised blocks: least weighted squared error within what each layout can say.
//
// The weight of an element is its block's root mean square plus its own magnitude: large weights of
// a network matter more than their share, and the smallest still count.
#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>

#include "core/check.h"
#include "tensor/quant/codec.h"
#include "tensor/quant/fit.h"
#include "tensor/quant/layout.h"

namespace plinth::tensor {
namespace {

template <size_t kSize>
std::array<float, kSize> importance(const float* x) {
  float squares = 0;
  for (size_t i = 0; i < kSize; ++i) squares += x[i] * x[i];
  const float rms = std::sqrt(squares / static_cast<float>(kSize));
  std::array<float, kSize> w;
  for (size_t i = 0; i < kSize; ++i) w[i] = rms + std::abs(x[i]);
  return w;
}

std::span<const float> block_of(const float* x, int j, int size = kBlock) {
  return {x + j * size, static_cast<size_t>(size)};
}

// The low four bits of 32 codes into 16 bytes, low then high.
void put_nibbles(const int8_t* codes, uint8_t* low) {
  for (int i = 0; i < 16; ++i)
    low[i] = static_cast<uint8_t>((codes[i] & 15) | (codes[i + 16] & 15) << 4);
}

void put_fifths(const int8_t* codes, uint8_t* fifth) {
  std::fill_n(fifth, 4, uint8_t{0});
  for (int i = 0; i < kBlock; ++i)
    fifth[i / 8] = static_cast<uint8_t>(fifth[i / 8] | (codes[i] >> 4 & 1) << i % 8);
}

// The scale is the largest magnitude over 127: at eight bits a search gains nothing, and whoever
// computes the same from the same floats gets the same file.
void encode(const float* x, BlockQ8_0& block) {
  float peak = 0;
  for (int i = 0; i < kBlock; ++i) peak = std::max(peak, std::abs(x[i]));
  const float scale = peak / 127.0f;
  const float inverse = scale > 0 ? 1.0f / scale : 0.0f;
  block.d.set(scale);
  for (int i = 0; i < kBlock; ++i) {
    // A scale below the normal range makes the inverse overflow, and NaN compares false: both end
    // inside the range of int8.
    const float q = std::round(x[i] * inverse);
    const float clamped = q >= -127.0f ? std::min(q, 127.0f) : -127.0f;
    block.q[i] = static_cast<uint8_t>(static_cast<int8_t>(clamped));
  }
}

// Codes around zero, written with range.low as 0.
void encode_symmetric(const float* x, CodeRange range, F16Bytes& d, int8_t* codes) {
  const auto w = importance<kBlock>(x);
  const float scale = d.set(fit_scale(block_of(x, 0), w, range));
  encode_with({scale, 0}, range, block_of(x, 0), w, codes);
  for (int i = 0; i < kBlock; ++i) codes[i] = static_cast<int8_t>(codes[i] - range.low);
}

void encode(const float* x, BlockQ4_0& block) {
  int8_t codes[kBlock];
  encode_symmetric(x, {-8, 7}, block.d, codes);
  put_nibbles(codes, block.low);
}

void encode(const float* x, BlockQ5_0& block) {
  int8_t codes[kBlock];
  encode_symmetric(x, {-16, 15}, block.d, codes);
  put_nibbles(codes, block.low);
  put_fifths(codes, block.fifth);
}

void encode_shifted(const float* x, int high, F16Bytes& d, F16Bytes& m, int8_t* codes) {
  const auto w = importance<kBlock>(x);
  Fit fit = fit_scale_and_shift(block_of(x, 0), w, high, false);
  fit = {d.set(fit.scale), m.set(fit.shift)};
  encode_with(fit, {0, high}, block_of(x, 0), w, codes);
}

void encode(const float* x, BlockQ4_1& block) {
  int8_t codes[kBlock];
  encode_shifted(x, 15, block.d, block.m, codes);
  put_nibbles(codes, block.low);
}

void encode(const float* x, BlockQ5_1& block) {
  int8_t codes[kBlock];
  encode_shifted(x, 31, block.d, block.m, codes);
  put_nibbles(codes, block.low);
  put_fifths(codes, block.fifth);
}

// A K block in the making: what is stored, apart from how it is packed.
struct SuperBlock {
  F16Bytes d;
  F16Bytes m;
  SixBits six;
  int8_t codes[kSuperBlock];
  double error = std::numeric_limits<double>::infinity();

  Fit fit(int scale, int minimum) const {
    return {d.value() * static_cast<float>(scale), -m.value() * static_cast<float>(minimum)};
  }
};

using Weights = std::array<float, kSuperBlock>;

// Chooses the six-bit scales and minima under the block's own d and m, starting from what each of
// the eight wants: the rounded pair and its neighbours are tried against the elements themselves.
void choose_six_bits(const float* x, const Weights& w, int high, const Fit* wanted,
                     SuperBlock& out) {
  const float inverse_d = out.d.value() > 0 ? 1 / out.d.value() : 0;
  const float inverse_m = out.m.value() > 0 ? 1 / out.m.value() : 0;
  out.error = 0;
  for (int j = 0; j < 8; ++j) {
    const int scale = nearest_code(wanted[j].scale * inverse_d, {0, 63});
    const int minimum = nearest_code(-wanted[j].shift * inverse_m, {0, 63});
    double best = std::numeric_limits<double>::infinity();
    int8_t* codes = out.codes + j * kBlock;
    std::fill_n(codes, kBlock, int8_t{0});
    out.six.scale[j] = out.six.minimum[j] = 0;
    for (int s = std::max(0, scale - 1); s <= std::min(63, scale + 1); ++s) {
      for (int k = std::max(0, minimum - 1); k <= std::min(63, minimum + 1); ++k) {
        int8_t tried[kBlock];
        const double error =
            encode_with(out.fit(s, k), {0, high}, block_of(x, j), block_of(w.data(), j), tried);
        if (!(error < best)) continue;
        best = error;
        out.six.scale[j] = static_cast<uint8_t>(s);
        out.six.minimum[j] = static_cast<uint8_t>(k);
        std::copy_n(tried, kBlock, codes);
      }
    }
    out.error += best;
  }
}

// The d and m that suit all 256 elements best, their codes and six-bit numbers as they are.
Fit refit(const float* x, const Weights& w, const SuperBlock& from) {
  double aa = 0, ab = 0, bb = 0, xa = 0, xb = 0;
  for (int i = 0; i < kSuperBlock; ++i) {
    const double a = from.six.scale[i / kBlock] * from.codes[i];
    const double b = from.six.minimum[i / kBlock];
    const double weight = w[static_cast<size_t>(i)];
    aa += weight * a * a;
    ab += weight * a * b;
    bb += weight * b * b;
    xa += weight * a * x[i];
    xb += weight * b * x[i];
  }
  // x ~ d a - m b
  const double determinant = aa * bb - ab * ab;
  if (determinant > 1e-9 * aa * bb)
    return {static_cast<float>((xa * bb - xb * ab) / determinant),
            static_cast<float>((xa * ab - xb * aa) / determinant)};
  return {aa > 0 ? static_cast<float>(xa / aa) : 0.0f, from.m.value()};
}

SuperBlock encode_k(const float* x, int high) {
  const auto w = importance<kSuperBlock>(x);
  Fit wanted[8];
  float scale_max = 0;
  float minimum_max = 0;
  for (int j = 0; j < 8; ++j) {
    wanted[j] = fit_scale_and_shift(block_of(x, j), block_of(w.data(), j), high, true);
    scale_max = std::max(scale_max, wanted[j].scale);
    minimum_max = std::max(minimum_max, -wanted[j].shift);
  }
  SuperBlock best;
  best.d.set(scale_max / 63);
  best.m.set(minimum_max / 63);
  choose_six_bits(x, w, high, wanted, best);
  for (int turn = 0; turn < 2; ++turn) {
    const Fit fit = refit(x, w, best);
    if (!(fit.scale > 0) || !(fit.shift >= 0)) break;
    SuperBlock next;
    next.d.set(fit.scale);
    next.m.set(fit.shift);
    choose_six_bits(x, w, high, wanted, next);
    if (!(next.error < best.error)) break;
    best = next;
  }
  return best;
}

void put_pairs(const int8_t* codes, uint8_t* low) {
  for (int j = 0; j < 8; j += 2) {
    for (int i = 0; i < kBlock; ++i)
      low[j / 2 * kBlock + i] = static_cast<uint8_t>((codes[j * kBlock + i] & 15) |
                                                     (codes[(j + 1) * kBlock + i] & 15) << 4);
  }
}

void encode(const float* x, BlockQ4_K& block) {
  const SuperBlock made = encode_k(x, 15);
  block.d = made.d;
  block.m = made.m;
  pack_six_bits(made.six, block.scales);
  put_pairs(made.codes, block.low);
}

void encode(const float* x, BlockQ5_K& block) {
  const SuperBlock made = encode_k(x, 31);
  block.d = made.d;
  block.m = made.m;
  pack_six_bits(made.six, block.scales);
  put_pairs(made.codes, block.low);
  std::fill_n(block.fifth, kBlock, uint8_t{0});
  for (int i = 0; i < kSuperBlock; ++i) {
    uint8_t& byte = block.fifth[i % kBlock];
    byte = static_cast<uint8_t>(byte | (made.codes[i] >> 4 & 1) << i / kBlock);
  }
}

// As SuperBlock, for sixteen signed scales and no minima.
struct SixBitBlock {
  F16Bytes d;
  int8_t scales[16];
  int8_t codes[kSuperBlock];
  double error = std::numeric_limits<double>::infinity();
};

constexpr CodeRange kSixBitCodes{-32, 31};
constexpr int kRun = 16;  // elements of one scale in Q6_K

void choose_scales(const float* x, const Weights& w, const float* wanted, SixBitBlock& out) {
  const float d = out.d.value();
  const float inverse = d != 0 ? 1 / d : 0;
  out.error = 0;
  for (int j = 0; j < 16; ++j) {
    const int middle = nearest_code(wanted[j] * inverse, {-128, 127});
    double best = std::numeric_limits<double>::infinity();
    std::fill_n(out.codes + j * kRun, kRun, int8_t{0});
    out.scales[j] = 0;
    for (int s = std::max(-128, middle - 1); s <= std::min(127, middle + 1); ++s) {
      int8_t tried[kRun];
      const double error = encode_with({d * static_cast<float>(s), 0}, kSixBitCodes,
                                       block_of(x, j, kRun), block_of(w.data(), j, kRun), tried);
      if (!(error < best)) continue;
      best = error;
      out.scales[j] = static_cast<int8_t>(s);
      std::copy_n(tried, kRun, out.codes + j * kRun);
    }
    out.error += best;
  }
}

float refit(const float* x, const Weights& w, const SixBitBlock& from) {
  double aa = 0, xa = 0;
  for (int i = 0; i < kSuperBlock; ++i) {
    const double a = from.scales[i / kRun] * from.codes[i];
    aa += w[static_cast<size_t>(i)] * a * a;
    xa += w[static_cast<size_t>(i)] * a * x[i];
  }
  return aa > 0 ? static_cast<float>(xa / aa) : 0.0f;
}

void encode(const float* x, BlockQ6_K& block) {
  const auto w = importance<kSuperBlock>(x);
  float wanted[16];
  float peak = 0;
  for (int j = 0; j < 16; ++j) {
    wanted[j] = fit_scale(block_of(x, j, kRun), block_of(w.data(), j, kRun), kSixBitCodes);
    if (std::abs(wanted[j]) > std::abs(peak)) peak = wanted[j];
  }
  SixBitBlock best;
  best.d.set(peak / -128);
  choose_scales(x, w, wanted, best);
  SixBitBlock next;
  next.d.set(refit(x, w, best));
  choose_scales(x, w, wanted, next);
  if (next.error < best.error) best = next;

  block = {};
  block.d = best.d;
  for (int j = 0; j < 16; ++j) block.scales[j] = static_cast<uint8_t>(best.scales[j]);
  for (int at = 0; at < kSuperBlock; ++at) {
    const int h = at / 128;
    const int t = at / 32 % 4;
    const int i = at % 32;
    const int code = best.codes[at] + 32;
    uint8_t& low = block.low[64 * h + 32 * (t % 2) + i];
    low = static_cast<uint8_t>(low | (code & 15) << (t < 2 ? 0 : 4));
    uint8_t& high = block.high[32 * h + i];
    high = static_cast<uint8_t>(high | code >> 4 << 2 * t);
  }
}

template <typename Block>
void encode_bytes(const float* x, uint8_t* bytes) {
  Block block;
  encode(x, block);
  std::memcpy(bytes, &block, sizeof block);
}

using Encode = void (*)(const float* x, uint8_t* bytes);

// In the order of DType.
constexpr Encode kEncoders[] = {
    nullptr,
    nullptr,
    nullptr,
    encode_bytes<BlockQ8_0>,
    encode_bytes<BlockQ4_0>,
    encode_bytes<BlockQ5_0>,
    encode_bytes<BlockQ4_1>,
    encode_bytes<BlockQ5_1>,
    encode_bytes<BlockQ4_K>,
    encode_bytes<BlockQ5_K>,
    encode_bytes<BlockQ6_K>,
};
static_assert(std::size(kEncoders) == kDTypes.size());

}  // namespace

void encode_block(DType type, const float* x, uint8_t* block) {
  PLINTH_DCHECK(is_quantised(type), "{} has no blocks", dtype_name(type));
  kEncoders[static_cast<size_t>(type)](x, block);
}

}  // namespace plinth::tensor
