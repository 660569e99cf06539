// Products of float matrices on the matrix unit. A float is split into bfloat16 parts: its
// rounding, the rounding of what that leaves, and so on; 8 bits each. Products of parts that matter
// are summed in float32 by the tile instruction. Included once per Highway target; only AVX3_DL has
// something in it.
//
// One instruction multiplies 16 x 32 by 32 x 16 in 16 cycles, 512 multiply-adds a cycle where
// vectors of float32 do 32. Three products, for F16 beside float32, still win by far; the six that
// two float32 factors would take don't always (decision 0018).
// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18;
// Henry, Tang and Heinecke, "Leveraging the bfloat16 Artificial Intelligence Datatype For
// Higher-Precision Computations", ARITH 2019.
#if defined(PLINTH_TENSOR_CPU_AMX_TILES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PLINTH_TENSOR_CPU_AMX_TILES_INL_H_
#undef PLINTH_TENSOR_CPU_AMX_TILES_INL_H_
#else
#define PLINTH_TENSOR_CPU_AMX_TILES_INL_H_
#endif

#include <cstdint>

#include <hwy/highway.h>

#include "tensor/cpu/simd-inl.h"

#if HWY_TARGET == HWY_AVX3_DL && defined(__x86_64__)

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

inline constexpr int kTileSide = 16;                // rows of a tile, and words in each
inline constexpr int kStep = 2 * kTileSide;         // depth of a tile
inline constexpr int kTileBytes = 1024;             // of a tile
inline constexpr int kTileFloats = kTileBytes / 4;  // of a tile of C
inline constexpr int kGroup = 2 * kTileSide;        // rows and columns of C held in registers
inline constexpr int kPartBytes = 2 * kTileBytes;   // one part of a group, one step deep

// How many parts a and b have, and the products of parts that are summed: part a_of[i] of a times
// part b_of[i] of b. Neighbours share a part, so that one factor's tiles are loaded for each.
struct SplitNone {
  static constexpr int kA = 1, kB = 1, kTerms = 1;
  static constexpr int a_of[] = {0}, b_of[] = {0};
};

struct SplitByBF16 {
  static constexpr int kA = 2, kB = 1, kTerms = 2;
  static constexpr int a_of[] = {1, 0}, b_of[] = {0, 0};
};

struct SplitByF16 {
  static constexpr int kA = 2, kB = 2, kTerms = 3;
  static constexpr int a_of[] = {1, 0, 0}, b_of[] = {0, 0, 1};
};

// All eight tile registers as 16 rows of 64 bytes, for as long as it lives: tmm0 to tmm3 are 32 x
// 32 of C, tmm4 and tmm5 of a, tmm6 and tmm7 of b.
class WholeTiles {
 public:
  WholeTiles() {
    struct alignas(64) Shapes {
      uint8_t palette = 1;
      uint8_t start = 0;
      uint8_t reserved[14] = {};
      uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    };

    static_assert(sizeof(Shapes) == 64);
    const Shapes shapes;
    asm volatile("ldtilecfg %0" : : "m"(shapes));
  }

  ~WholeTiles() { asm volatile("tilerelease"); }

  WholeTiles(const WholeTiles&) = delete;
  WholeTiles& operator=(const WholeTiles&) = delete;
};

// C's four tiles, one after another, start from zero or from what is there.
HWY_INLINE void begin_tiles(const float* c, bool add) {
  if (!add) {
    asm volatile(
        "tilezero %%tmm0\n\t"
        "tilezero %%tmm1\n\t"
        "tilezero %%tmm2\n\t"
        "tilezero %%tmm3" ::
            : "memory");
    return;
  }
  const int64_t row = 4 * kTileSide;
  asm volatile(
      "tileloadd (%0,%1,1), %%tmm0\n\t"
      "tileloadd 1024(%0,%1,1), %%tmm1\n\t"
      "tileloadd 2048(%0,%1,1), %%tmm2\n\t"
      "tileloadd 3072(%0,%1,1), %%tmm3"
      :
      : "r"(c), "r"(row)
      : "memory");
}

HWY_INLINE void end_tiles(float* c) {
  const int64_t row = 4 * kTileSide;
  asm volatile(
      "tilestored %%tmm0, (%0,%1,1)\n\t"
      "tilestored %%tmm1, 1024(%0,%1,1)\n\t"
      "tilestored %%tmm2, 2048(%0,%1,1)\n\t"
      "tilestored %%tmm3, 3072(%0,%1,1)"
      :
      : "r"(c), "r"(row)
      : "memory");
}

// Product `term` of one step, whose parts lie at a and b.
template <class Split, int term>
HWY_INLINE void multiply_term(const uint8_t* a, const uint8_t* b) {
  if constexpr (term < Split::kTerms) {
    constexpr int kBefore = term == 0 ? 0 : term - 1;
    const int64_t row = 4 * kTileSide;
    if constexpr (term == 0 || Split::a_of[term] != Split::a_of[kBefore]) {
      asm volatile(
          "tileloadd (%0,%1,1), %%tmm4\n\t"
          "tileloadd 1024(%0,%1,1), %%tmm5"
          :
          : "r"(a + Split::a_of[term] * kPartBytes), "r"(row)
          : "memory");
    }
    if constexpr (term == 0 || Split::b_of[term] != Split::b_of[kBefore]) {
      asm volatile(
          "tileloadd (%0,%1,1), %%tmm6\n\t"
          "tileloadd 1024(%0,%1,1), %%tmm7"
          :
          : "r"(b + Split::b_of[term] * kPartBytes), "r"(row)
          : "memory");
    }
    asm volatile(
        "tdpbf16ps %%tmm6, %%tmm4, %%tmm0\n\t"
        "tdpbf16ps %%tmm7, %%tmm4, %%tmm1\n\t"
        "tdpbf16ps %%tmm6, %%tmm5, %%tmm2\n\t"
        "tdpbf16ps %%tmm7, %%tmm5, %%tmm3" ::
            : "memory");
    multiply_term<Split, term + 1>(a, b);
  }
}

// C's tiles += `steps` steps of a group of rows of a times a group of columns of b.
template <class Split>
HWY_INLINE void multiply_steps(const uint8_t* a, const uint8_t* b, int64_t steps) {
  for (int64_t s = 0; s < steps; ++s) {
    multiply_term<Split, 0>(a, b);
    a += Split::kA * kPartBytes;
    b += Split::kB * kPartBytes;
  }
}

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#endif

#endif
