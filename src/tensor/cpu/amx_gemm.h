// Matrix products on the matrix unit (AMX): bfloat16 tiles, sums in float32.
#pragma once

#include <cstdint>
#include <span>

#include "tensor/cpu/gemm_types.h"

namespace plinth::tensor::cpu {

// What a product in tiles may lose.
enum class AmxRounding : uint8_t {
  // Both factors become bfloat16: |error| <= 2^-8 sum |a b|.
  kBoth,
  // Each is split into two bfloat16 parts, and the product of the small ones is left out: |error|
  // <= 2^-15 sum |a b|, some 4e-6 in practice. F16 and BF16 weights lose nothing of themselves.
  kNone,
};

// True where the processor and the chosen SIMD target have tiles.
bool amx_multiply_usable();

// All outputs from one a, which is packed once. Needs amx_multiply_usable(), and repays packing b
// from some 32 rows with kNone, 64 with kBoth. A row's result depends on nothing else in the call;
// threads don't change a bit.
void amx_multiply(int64_t m, int64_t k, const Strided& a, std::span<const ProductOutput> outputs,
                  AmxRounding rounding);

}  // namespace plinth::tensor::cpu
