// The matrix unit of some x86 processors (AMX): whether this process may use it.
#pragma once

#include <atomic>

namespace plinth::tensor::cpu {

// True where the processor multiplies tiles of bytes and of bfloat16 and the system gave
// permission, which is asked for once. Elsewhere, and on other systems than Linux, false.
bool amx_usable();

// Tests set it to false to compare the kernels with and without tiles.
inline std::atomic<bool> amx_allowed = true;

}  // namespace plinth::tensor::cpu
