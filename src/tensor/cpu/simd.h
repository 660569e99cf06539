// Highway, with the targets that earn their compile time: scalar, SSE4, AVX2, AVX-512, NEON.
//
// SSSE3 adds nothing to SSE4 machines worth a build, AVX3_DL nothing to float kernels, and SVE
// vectors cannot be kept in arrays, which the register tiles of gemm_kernel-inl.h are: SVE machines
// run the NEON kernels. Included before any Highway header: they read the macro.
#pragma once

#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)

#include <hwy/targets.h>
