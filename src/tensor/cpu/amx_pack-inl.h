// Factors as the tiles of amx_tiles-inl.h want them: groups of 32 rows of a or columns of b, step
// after step of 32 along the depth, part after part, two tiles of 16 each. Included once per
// Highway target; only AVX3_DL has something in it.
//
// Word i of a row or column holds depth i in its lower half and depth 16 + i in its upper: the tile
// instruction sums both, and nothing has to be interleaved. A tile of a has rows of words; one of b
// has words of all columns in each row.
#if defined(PLINTH_TENSOR_CPU_AMX_PACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PLINTH_TENSOR_CPU_AMX_PACK_INL_H_
#undef PLINTH_TENSOR_CPU_AMX_PACK_INL_H_
#else
#define PLINTH_TENSOR_CPU_AMX_PACK_INL_H_
#endif

#include <cstdint>
#include <cstring>

#include <hwy/highway.h>

#include "tensor/cpu/amx_tiles-inl.h"
#include "tensor/cpu/decode-inl.h"
#include "tensor/cpu/gemm_types.h"
#include "tensor/cpu/int8_unpack-inl.h"
#include "tensor/cpu/row_part.h"

#if HWY_TARGET == HWY_AVX3_DL && defined(__x86_64__)

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

using Pairs = hn::FixedTag<uint32_t, kTileSide>;
using TilePairs = hn::Vec<Pairs>;

// Lane for lane, the bfloat16 of two floats: `low` in the lower half. Halves away from zero at a
// tie.
HWY_INLINE TilePairs bfloat16_pairs(Vector low, Vector high) {
  const Pairs d;
  const auto half = hn::Set(d, 0x8000);
  const auto l = hn::ShiftRight<16>(hn::Add(hn::BitCast(d, low), half));
  return hn::OrAnd(l, hn::Add(hn::BitCast(d, high), half), hn::Set(d, 0xffff0000));
}

// The parts of 16 words of one row or column, `kPartBytes` apart.
template <int kParts>
HWY_INLINE void split_words(Vector low, Vector high, uint8_t* out) {
  const Pairs d;
  const Tag df;
  HWY_UNROLL(2)
  for (int part = 0; part < kParts; ++part) {
    const TilePairs words = bfloat16_pairs(low, high);
    hn::Store(words, d, reinterpret_cast<uint32_t*>(out + part * kPartBytes));
    low = hn::Sub(low, hn::BitCast(df, hn::ShiftLeft<16>(words)));
    high = hn::Sub(high, hn::BitCast(df, hn::And(words, hn::Set(d, 0xffff0000))));
  }
}

// A tile's rows become its columns.
HWY_NOINLINE void turn_tile(uint8_t* tile) {
  const Pairs d;
  const hn::Repartition<uint64_t, Pairs> d64;
  auto* words = reinterpret_cast<uint32_t*>(tile);
  TilePairs v[kTileSide];
  TilePairs t[kTileSide];
  for (int i = 0; i < kTileSide; ++i) v[i] = hn::Load(d, words + i * kTileSide);
  for (int i = 0; i < kTileSide; i += 2) {
    t[i] = hn::InterleaveLower(d, v[i], v[i + 1]);
    t[i + 1] = hn::InterleaveUpper(d, v[i], v[i + 1]);
  }
  for (int i = 0; i < kTileSide; i += 4) {
    for (int j = 0; j < 2; ++j) {
      const auto a = hn::BitCast(d64, t[i + j]);
      const auto b = hn::BitCast(d64, t[i + 2 + j]);
      v[i + 2 * j] = hn::BitCast(d, hn::InterleaveLower(d64, a, b));
      v[i + 2 * j + 1] = hn::BitCast(d, hn::InterleaveUpper(d64, a, b));
    }
  }
  // v[4 g + c] holds, in its block of 128 bits b, column 4 b + c of rows 4 g to 4 g + 3.
  for (int c = 0; c < 4; ++c) {
    const __m512i r01 = _mm512_shuffle_i32x4(v[c].raw, v[4 + c].raw, 0x44);
    const __m512i r01_high = _mm512_shuffle_i32x4(v[c].raw, v[4 + c].raw, 0xee);
    const __m512i r23 = _mm512_shuffle_i32x4(v[8 + c].raw, v[12 + c].raw, 0x44);
    const __m512i r23_high = _mm512_shuffle_i32x4(v[8 + c].raw, v[12 + c].raw, 0xee);
    const auto put = [&](int column, __m512i value)
                         HWY_ATTR { hn::Store(TilePairs{value}, d, words + column * kTileSide); };
    put(c, _mm512_shuffle_i32x4(r01, r23, 0x88));
    put(4 + c, _mm512_shuffle_i32x4(r01, r23, 0xdd));
    put(8 + c, _mm512_shuffle_i32x4(r01_high, r23_high, 0x88));
    put(12 + c, _mm512_shuffle_i32x4(r01_high, r23_high, 0xdd));
  }
}

// 16 rows or columns of floats, one step deep, that are `step` apart, contiguous along the depth
// (`deep`) or side by side.
struct TileFloats {
  const float* data;
  int64_t step;
  bool deep;

  TileFloats at(int64_t side, int64_t depth) const {
    return {data + (deep ? side * step + depth : depth * step + side), step, deep};
  }
};

// One tile of every part, `kPartBytes` apart. `rows`: a tile of a. sides <= 16 and depth <= kStep
// are there, the rest becomes zero.
template <int kParts>
HWY_INLINE void pack_tile(TileFloats from, int64_t sides, int64_t depth, bool rows, uint8_t* out) {
  if (sides < kTileSide || depth < kStep) {
    HWY_ALIGN float copy[kTileSide * kStep] = {};
    const int64_t step = from.deep ? kStep : kTileSide;
    const int64_t lines = from.deep ? sides : depth;
    const int64_t line = from.deep ? depth : sides;
    for (int64_t i = 0; i < lines; ++i)
      std::memcpy(copy + i * step, from.data + i * from.step, sizeof(float) * line);
    return pack_tile<kParts>({copy, step, from.deep}, kTileSide, kStep, rows, out);
  }
  const Tag d;
  const int64_t to_high = from.deep ? kTileSide : kTileSide * from.step;
  for (int i = 0; i < kTileSide; ++i) {
    const float* line = from.data + i * from.step;
    split_words<kParts>(hn::LoadU(d, line), hn::LoadU(d, line + to_high), out + i * 4 * kTileSide);
  }
  // What is contiguous along the depth came out as rows of words.
  if (rows == from.deep) return;
  for (int part = 0; part < kParts; ++part) turn_tile(out + part * kPartBytes);
}

// A whole group over `depth`: sides <= kGroup.
template <int kParts>
HWY_INLINE void pack_group(TileFloats from, int64_t sides, int64_t depth, bool rows, uint8_t* out) {
  for (int64_t k = 0; k < depth; k += kStep, out += kParts * kPartBytes) {
    const int64_t deep = HWY_MIN(kStep, depth - k);
    for (int64_t i = 0; i < kGroup; i += kTileSide) {
      const int64_t there = HWY_MAX(int64_t{0}, HWY_MIN(kTileSide, sides - i));
      uint8_t* tile = out + i / kTileSide * kTileBytes;
      pack_tile<kParts>(there > 0 ? from.at(i, k) : from, there, deep, rows, tile);
    }
  }
}

// 16 columns of an interleaved weight, blocks of 32 from `panel_codes`, rounded.
template <class T>
HWY_INLINE void pack_codes(const Panel& panel, int blocks, uint8_t* out) {
  const Tag d;
  const Pairs dw;
  // A code becomes the float 256 + code by bits alone, and one multiply-add takes the rest away.
  const auto one = hn::Set(dw, 0x43800000);
  const auto mask = hn::Set(dw, 255u << 15);
  for (int j = 0; j < blocks; ++j, out += kPartBytes) {
    Vector scale[T::kRuns];
    Vector base[T::kRuns];
    for (int run = 0; run < T::kRuns; ++run) {
      scale[run] = hn::Load(d, panel.scale[j][run]);
      base[run] = hn::Mul(scale[run], hn::Set(d, -256.0f - T::kOffset));
      if constexpr (T::kShifted) base[run] = hn::Add(base[run], hn::Load(d, panel.shift[j]));
    }
    const auto value = [&](TilePairs bits, int run) HWY_ATTR {
      return hn::MulAdd(hn::BitCast(d, hn::OrAnd(one, bits, mask)), scale[run], base[run]);
    };
    HWY_UNROLL(4)
    for (int g = 0; g < kFours / 2; ++g) {
      const auto low = hn::Load(dw, reinterpret_cast<const uint32_t*>(panel.codes[j][g]));
      const auto high =
          hn::Load(dw, reinterpret_cast<const uint32_t*>(panel.codes[j][kFours / 2 + g]));
      auto* word = reinterpret_cast<uint32_t*>(out) + 4 * g * kTileSide;
      const auto put = [&](int t, TilePairs l, TilePairs h) HWY_ATTR {
        hn::Store(bfloat16_pairs(value(l, 0), value(h, T::kRuns - 1)), dw, word + t * kTileSide);
      };
      put(0, hn::ShiftLeft<15>(low), hn::ShiftLeft<15>(high));
      put(1, hn::ShiftLeft<7>(low), hn::ShiftLeft<7>(high));
      put(2, hn::ShiftRight<1>(low), hn::ShiftRight<1>(high));
      put(3, hn::ShiftRight<9>(low), hn::ShiftRight<9>(high));
    }
  }
}

// A group of columns of an interleaved weight, `depth` from depth0, which begins a chunk.
HWY_INLINE void pack_panels(const Stored& b, int64_t col, int64_t cols, int64_t depth0,
                            int64_t depth, uint8_t* out) {
  with_unpacked(b.type, [&](auto unpacked) HWY_ATTR {
    using T = decltype(unpacked);
    constexpr int64_t kElements = traits(T::kType).block;
    constexpr auto kBytes = static_cast<int64_t>(traits(T::kType).bytes);
    static_assert(kPanel == kTileSide);
    Panel panel;
    for (int64_t i = 0; i < kGroup; i += kPanel) {
      uint8_t* tile = out + i / kPanel * kTileBytes;
      if (i >= cols) {
        for (int64_t k = 0; k < depth; k += kStep, tile += kPartBytes)
          std::memset(tile, 0, kTileBytes);
        continue;
      }
      const uint8_t* chunk = b.data + (col + i) * static_cast<int64_t>(b.row_bytes) +
                             depth0 / kElements * kBytes * kPanel;
      for (int64_t k = 0; k < depth; k += kChunk * kBlock) {
        const auto blocks = static_cast<int>(HWY_MIN(kChunk, (depth - k) / kBlock));
        unpack<T, 0>(Chunk<T::kType>(chunk, blocks), panel);
        pack_codes<T>(panel, blocks, tile);
        chunk += blocks * kBlock / kElements * kBytes * kPanel;
        tile += blocks * kPartBytes;
      }
    }
  });
}

// A group of columns of b, `depth` from depth0; with one part no panels but turned ones. scratch:
// kGroup * depth floats.
template <int kParts>
HWY_INLINE void pack_columns(const Stored& b, int64_t col, int64_t cols, int64_t depth0,
                             int64_t depth, float* scratch, uint8_t* out) {
  if constexpr (kParts == 1) {
    if (b.panel != 0) return pack_panels(b, col, cols, depth0, depth, out);
  }
  if (b.type == DType::kF32 &&
      (reinterpret_cast<uintptr_t>(b.data) | b.row_bytes) % sizeof(float) == 0) {
    const TileFloats all = {reinterpret_cast<const float*>(b.data),
                            static_cast<int64_t>(b.row_bytes / sizeof(float)), b.turned};
    return pack_group<kParts>(all.at(col, depth0), cols, depth, /*rows=*/false, out);
  }
  uint8_t gathered[kGathered];
  if (b.turned) {
    for (int64_t r = 0; r < cols; ++r) {
      const RowPart part = row_part(b, col + r, depth0, depth, gathered);
      decode(part.bytes, b.type, part.at, depth, scratch + r * depth);
    }
    return pack_group<kParts>({scratch, depth, true}, cols, depth, /*rows=*/false, out);
  }
  // Blocks of 32 columns are a group.
  for (int64_t k = 0; k < depth; ++k) {
    const RowPart part = row_part(b, depth0 + k, col, cols, gathered);
    decode(part.bytes, b.type, part.at, cols, scratch + k * kGroup);
  }
  pack_group<kParts>({scratch, kGroup, false}, cols, depth, /*rows=*/false, out);
}

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#endif

#endif
