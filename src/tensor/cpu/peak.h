// What the processor's arithmetic could do at best: the bound that kernels are measured against.
#pragma once

#include <cstdint>

namespace plinth::tensor::cpu {

// Runs float32 multiply-adds on the calling thread, from registers to registers and independent
// enough to keep the units busy, for some microseconds times `rounds`. Returns how many operations
// they were, two per multiply-add.
double run_multiply_adds(int64_t rounds);

// The same with products of bytes and their sums, as quantised products are made of. 0 where a
// matrix unit makes them, or nothing but scalars.
double run_byte_products(int64_t rounds);

}  // namespace plinth::tensor::cpu
