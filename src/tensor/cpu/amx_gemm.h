// Matrix products on the matrix unit (AMX): bfloat16 tiles, sums in float32.
#pragma once

#include <cstdint>
#include <span>

#include "tensor/cpu/gemm_types.h"

namespace plinth::tensor::cpu {

// One right factor b [k, n] and where its product goes: c [m, n] (+)= a [m, k] . b.
struct AmxOutput {
  Stored b;
  int64_t n = 0;
  Matrix c;
  bool accumulate = false;
};

// What a product in tiles may lose.
enum class AmxRounding : uint8_t {
  // Both factors become bfloat16: |error| <= 2^-8 sum |a b|.
  kBoth,
  // Each is split into bfloat16 parts: F16 and BF16 weights without loss, the other factor with
  // 2^-18 of each element left out: |error| <= 2^-17 sum |a b|.
  kNone,
};

// True where tiles are there and can do it: kNone for b in F16 and BF16 only. They repay packing b
// from some 32 rows with kNone, 64 with kBoth.
bool amx_usable_for(DType type, AmxRounding rounding);

// All outputs from one a, which is packed once. Needs amx_usable_for() each. A row's result depends
// on nothing else in the call; threads don't change a bit.
void amx_multiply(int64_t m, int64_t k, const Strided& a, std::span<const AmxOutput> outputs,
                  AmxRounding rounding);

}  // namespace plinth::tensor::cpu
