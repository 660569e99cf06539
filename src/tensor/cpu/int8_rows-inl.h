// Rows of x rounded to int8 by blocks of 32, as the register tiles of int8_kernel-inl.h read them.
// Included once per Highway target.
#if defined(PLINTH_TENSOR_CPU_INT8_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PLINTH_TENSOR_CPU_INT8_ROWS_INL_H_
#undef PLINTH_TENSOR_CPU_INT8_ROWS_INL_H_
#else
#define PLINTH_TENSOR_CPU_INT8_ROWS_INL_H_
#endif

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "tensor/cpu/amx.h"
#include "tensor/cpu/int8_types.h"
#include "tensor/cpu/int8_unpack-inl.h"
#include "tensor/cpu/simd-inl.h"
#include "tensor/tensor.h"

#if HWY_TARGET != HWY_SCALAR

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

// Rows of x in a tile, panels that it passes over at once. Sums fill what registers there are, 32
// or 16: with byte dots those of six rows by two panels at a time, else integer sums only.
inline constexpr int kTile = kByteDots ? 16 : 4;
inline constexpr int kPanelsAtOnce = 2;

// Rows of a task, at most, for which a panel at a time is faster than two.
inline constexpr int64_t kRowsOfOneStream = kByteDots ? 16 : 1;
// Rows that the matrix unit takes at once, where there is one.
inline constexpr int64_t kAmxRows = 16;

// body(how the type is multiplied by `rows` rows of x).
template <class Body>
HWY_INLINE void with_unpacked_for(DType type, int64_t rows, const Body& body) {
  if constexpr (!kByteDots) {
    if (type == DType::kQ8_0 && rows < kTile) return body(UnpackedSigned());
  } else if (rows <= kRowsOfOneStream && !(rows >= kAmxRows && amx_usable())) {
    return with_unpacked(
        type, [&](auto unpacked) HWY_ATTR { body(Streamed<decltype(unpacked)::kType>()); });
  }
  with_unpacked(type, body);
}

// A tile of rounded x (where: `Rounded`) holds, block after block, for its rows
//   codes  [rows][32] int8, or int16 in the order of wide codes
//   start  [runs][rows] int32: -offset * (sum of the run's codes), what its product begins with
//   scale  [rows] float
//   sum    [rows] float: of the rounded values, where the type is shifted
template <class T>
constexpr int code_bytes(T) {
  return T::kWide ? 2 * kBlock : kBlock;
}

template <class T>
constexpr int tile_row_bytes(T) {
  return code_bytes(T()) + 4 * T::kRuns + 8;
}

HWY_INLINE void put(uint8_t* out, int index, int32_t value) {
  std::memcpy(out + 4 * index, &value, 4);
}

HWY_INLINE void put(uint8_t* out, int index, float value) {
  std::memcpy(out + 4 * index, &value, 4);
}

HWY_INLINE WordVector all_at(const uint8_t* words, int index) {
  int32_t value;
  std::memcpy(&value, words + 4 * index, 4);
  return hn::Set(PanelWords(), value);
}

HWY_INLINE FloatVector all_floats_at(const uint8_t* floats, int index) {
  float value;
  std::memcpy(&value, floats + 4 * index, 4);
  return hn::Set(PanelFloats(), value);
}

// Codes of a vector of rounded values; wide ones change places, the middle two of every four.
template <class T, class Words>
HWY_INLINE void put_codes(Words words, int at, uint8_t* row) {
  const hn::RebindToSigned<Tag> dw;
  if constexpr (T::kWide) {
    const hn::Rebind<int16_t, decltype(dw)> d16;
    const hn::Repartition<uint64_t, decltype(d16)> d64;
    const auto fours = hn::BitCast(d64, hn::DemoteTo(d16, words));
    const auto third = hn::Set(d64, uint64_t{0xffff} << 32);
    const auto second = hn::Set(d64, uint64_t{0xffff} << 16);
    const auto ends = hn::AndNot(hn::Or(second, third), fours);
    const auto middle = hn::Or(hn::And(hn::ShiftLeft<16>(fours), third),
                               hn::And(hn::ShiftRight<16>(fours), second));
    hn::StoreU(hn::BitCast(d16, hn::Or(ends, middle)), d16, reinterpret_cast<int16_t*>(row) + at);
  } else {
    const hn::Rebind<int8_t, decltype(dw)> d8;
    hn::StoreU(hn::DemoteTo(d8, words), d8, reinterpret_cast<int8_t*>(row) + at);
  }
}

// One block of row `i` of a tile of `height` rows. The largest value of a block becomes 127 steps;
// a block whose largest is below 1e-30 counts as zero, and one with a value that is not finite gets
// a scale of NaN. Sums that the type has no use for are left out, because adding lanes up is most
// of the work.
template <class T>
HWY_INLINE void round_block(const float* x, uint8_t* tile, int i, int height) {
  const Tag d;
  const hn::RebindToSigned<Tag> dw;
  constexpr int kVectors = kBlock / kLanes;
  constexpr bool kSums = T::kOffset != 0 || T::kShifted;
  constexpr bool kHalves = T::kOffset != 0 && T::kRuns == 2;
  Vector v[kVectors];
  // Sizes in the order of their bits, in which what is not finite comes last.
  auto peaks = hn::Zero(dw);
  for (int p = 0; p < kVectors; ++p) {
    v[p] = hn::LoadU(d, x + p * kLanes);
    peaks = hn::Max(peaks, hn::BitCast(dw, hn::Abs(v[p])));
  }
  const int32_t peak_bits = hn::GetLane(hn::MaxOfLanes(dw, peaks));
  float peak;
  std::memcpy(&peak, &peak_bits, sizeof peak);
  const float inverse = peak >= 1e-30f ? 127.0f / peak : 0.0f;
  uint8_t* codes = tile + i * code_bytes(T());
  auto total = hn::Zero(dw);
  int32_t halves[2] = {0, 0};
  for (int p = 0; p < kVectors; ++p) {
    // What a NaN becomes stays within a byte.
    const auto nearest = hn::NearestInt(hn::Mul(v[p], hn::Set(d, inverse)));
    const auto code = hn::Min(hn::Max(nearest, hn::Set(dw, -128)), hn::Set(dw, 127));
    put_codes<T>(code, p * kLanes, codes);
    if constexpr (kSums) total = hn::Add(total, code);
    if (kHalves && p + 1 == kVectors / 2) {
      halves[0] = hn::GetLane(hn::SumOfLanes(dw, total));
      total = hn::Zero(dw);
    }
  }
  if constexpr (kSums) halves[1] = hn::GetLane(hn::SumOfLanes(dw, total));
  uint8_t* start = tile + height * code_bytes(T());
  if constexpr (T::kRuns == 1) {
    put(start, i, -T::kOffset * halves[1]);
  } else {
    put(start, i, -T::kOffset * halves[0]);
    put(start, height + i, -T::kOffset * halves[1]);
  }
  uint8_t* scales = start + 4 * T::kRuns * height;
  constexpr int32_t kInfinity = 0x7f800000;
  float scale = peak >= 1e-30f ? peak / 127.0f : 0.0f;
  if (peak_bits >= kInfinity) scale = std::numeric_limits<float>::quiet_NaN();
  put(scales, i, scale);
  if constexpr (T::kShifted)
    put(scales, height + i, scale * static_cast<float>(halves[0] + halves[1]));
}

// The `height` rows of the tile that begins at `row` of x. Span after span, because a tile's rows
// of a span lie side by side; what a row holds of the next span is fetched.
template <class T>
HWY_INLINE void round_rows(ConstMatrix x, const Rounded& rounded, int64_t row, int height) {
  for (int64_t first = 0; first < rounded.blocks; first += rounded.span) {
    const int64_t end = std::min(first + rounded.span, rounded.blocks);
    const int64_t ahead = kBlock * (end - first);
    uint8_t* const tiles = rounded.block(first).at(row, height);
    for (int i = 0; i < height; ++i) {
      const float* from = x.row(row + i) + kBlock * first;
      uint8_t* tile = tiles;
      for (int64_t block = first; block < end; ++block, from += kBlock) {
        for (int p = 0; p < kBlock; p += 16) hwy::Prefetch(from + ahead + p);
        round_block<T>(from, tile, i, height);
        tile += height * rounded.row_bytes;
      }
    }
  }
}

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#endif  // HWY_TARGET != HWY_SCALAR

#endif
