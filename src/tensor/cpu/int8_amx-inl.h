// Rows of x by sixteens against panels on the matrix unit, with the results of multiply_rows bit
// for bit: the integer products are exact either way, and what follows them is the same. Included
// once per Highway target; only AVX3_DL has something in it.
//
// A block of 32 is one tile instruction of 16 x 16 x 32 products where byte dots need 128
// instructions. What is left is storing the tile and scaling it to float.
// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18.
#if defined(PLINTH_TENSOR_CPU_INT8_AMX_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PLINTH_TENSOR_CPU_INT8_AMX_INL_H_
#undef PLINTH_TENSOR_CPU_INT8_AMX_INL_H_
#else
#define PLINTH_TENSOR_CPU_INT8_AMX_INL_H_
#endif

#include <cstdint>

#include <hwy/highway.h>

#include "tensor/cpu/amx.h"
#include "tensor/cpu/int8_kernel-inl.h"

#if HWY_TARGET == HWY_AVX3_DL && defined(__x86_64__)

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

// The shapes of the tiles, for as long as it lives: tmm0 and tmm1 hold 16 x 16 sums, tmm4 and tmm5
// a run of x of 16 rows, tmm6 and tmm7 the same of a panel.
class AmxTiles {
 public:
  explicit AmxTiles(int runs) {
    struct alignas(64) Shapes {
      uint8_t palette = 1;
      uint8_t start = 0;
      uint8_t reserved[14] = {};
      uint16_t row_bytes[16] = {};
      uint8_t rows[16] = {};
    };

    static_assert(sizeof(Shapes) == 64);
    Shapes shapes;
    const auto set = [&](int tile, int rows, int bytes) {
      shapes.rows[tile] = static_cast<uint8_t>(rows);
      shapes.row_bytes[tile] = static_cast<uint16_t>(bytes);
    };
    const int run = kBlock / runs;
    for (int i = 0; i < 2; ++i) {
      set(i, kAmxRows, 4 * kPanel);
      set(4 + i, kAmxRows, run);
      set(6 + i, run / 4, 4 * kPanel);
    }
    asm volatile("ldtilecfg %0" : : "m"(shapes));
  }

  ~AmxTiles() { asm volatile("tilerelease"); }

  AmxTiles(const AmxTiles&) = delete;
  AmxTiles& operator=(const AmxTiles&) = delete;
};

// out[16][16] = one run of x times one run of a panel. `kOdd` picks the registers, so that two
// products can be under way.
template <bool kOdd>
HWY_INLINE void multiply_amx(const uint8_t* x, const uint8_t* codes, int32_t* out) {
  const int64_t x_step = kBlock;
  const int64_t panel_step = 4 * kPanel;
  if constexpr (kOdd) {
    asm volatile(
        "tilezero %%tmm1\n\t"
        "tileloadd (%0,%3,1), %%tmm5\n\t"
        "tileloadd (%1,%4,1), %%tmm7\n\t"
        "tdpbssd %%tmm7, %%tmm5, %%tmm1\n\t"
        "tilestored %%tmm1, (%2,%4,1)"
        :
        : "r"(x), "r"(codes), "r"(out), "r"(x_step), "r"(panel_step)
        : "memory");
  } else {
    asm volatile(
        "tilezero %%tmm0\n\t"
        "tileloadd (%0,%3,1), %%tmm4\n\t"
        "tileloadd (%1,%4,1), %%tmm6\n\t"
        "tdpbssd %%tmm6, %%tmm4, %%tmm0\n\t"
        "tilestored %%tmm0, (%2,%4,1)"
        :
        : "r"(x), "r"(codes), "r"(out), "r"(x_step), "r"(panel_step)
        : "memory");
  }
}

// Where the next product comes from: blocks of a tile of x, one after the other, then the next
// tile.
template <class T>
struct AmxSteps {
  static constexpr int64_t kRecord = kAmxRows * tile_row_bytes(T());
  static constexpr int kPerRun = kFours / T::kRuns;

  HWY_INLINE void issue(int32_t* out) {
    const uint8_t* codes = panels[j / kChunk].codes[j % kChunk][run * kPerRun];
    if (odd) {
      multiply_amx<true>(x + j * kRecord + run * 4 * kPerRun, codes, out);
    } else {
      multiply_amx<false>(x + j * kRecord + run * 4 * kPerRun, codes, out);
    }
    odd = !odd;
    if (++run < T::kRuns) return;
    run = 0;
    if (++j < blocks) return;
    j = 0;
    x += tile_bytes;
  }

  const uint8_t* x;
  int64_t tile_bytes;
  const Panel* panels;
  int blocks;
  int j = 0;
  int run = 0;
  bool odd = false;
};

// sums[16 tiles][kPanel] += `blocks` blocks of `tiles` tiles of 16 rows, `tile_bytes` apart from
// where x points, times the panels, whose codes are centred. AmxTiles of T's runs must be alive.
template <class T>
HWY_NOINLINE void multiply_tiles_amx(const uint8_t* HWY_RESTRICT x, int64_t tile_bytes,
                                     int64_t tiles, const Panel* HWY_RESTRICT panels, int blocks,
                                     float* HWY_RESTRICT sums) {
  const PanelFloats d;
  constexpr int kRows = kAmxRows;
  // Loads find what a tile stored only once it has reached L1, so products run some steps ahead of
  // where they are scaled, across tiles: a pause at every tile took a third of the time.
  constexpr int kAhead = 3;
  alignas(64) int32_t dots[kAhead + 1][kRows][kPanel];
  AmxSteps<T> steps = {x, tile_bytes, panels, blocks};
  const int64_t all_steps = tiles * blocks * T::kRuns;
  for (int64_t step = 0; step < HWY_MIN(kAhead, all_steps); ++step) steps.issue(dots[step][0]);
  int64_t step = 0;
  for (int64_t tile = 0; tile < tiles; ++tile, x += tile_bytes, sums += kRows * kPanel) {
    FloatVector sum[kRows];
    HWY_UNROLL(16)
    for (int i = 0; i < kRows; ++i) sum[i] = hn::Load(d, sums + i * kPanel);
    for (int j = 0; j < blocks; ++j) {
      const Panel& panel = panels[j / kChunk];
      const uint8_t* scales = x + j * AmxSteps<T>::kRecord + kRows * kBlock + 4 * T::kRuns * kRows;
      for (int run = 0; run < T::kRuns; ++run, ++step) {
        if (step + kAhead < all_steps) steps.issue(dots[(step + kAhead) % (kAhead + 1)][0]);
        const FloatVector scale = hn::Load(d, panel.scale[j % kChunk][run]);
        HWY_UNROLL(16)
        for (int i = 0; i < kRows; ++i) {
          const WordVector dot = hn::Load(PanelWords(), dots[step % (kAhead + 1)][i]);
          const auto scaled = hn::Mul(hn::ConvertTo(d, dot), scale);
          sum[i] = hn::MulAdd(scaled, all_floats_at(scales, i), sum[i]);
        }
      }
      if constexpr (T::kShifted) {
        const auto shift = hn::Load(d, panel.shift[j % kChunk]);
        HWY_UNROLL(16)
        for (int i = 0; i < kRows; ++i)
          sum[i] = hn::MulAdd(shift, all_floats_at(scales, kRows + i), sum[i]);
      }
    }
    HWY_UNROLL(16)
    for (int i = 0; i < kRows; ++i) hn::Store(sum[i], d, sums + i * kPanel);
  }
}

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#endif

#endif
