// Highway, with the targets that earn their compile time: scalar, SSE4, AVX2, AVX-512, NEON.
//
// SSSE3 adds nothing to SSE4 machines worth a build, and SVE vectors cannot be kept in arrays,
// which the register tiles of gemm_kernel-inl.h are: SVE machines run the NEON kernels. Included
// before any Highway header: they read the macro.
#pragma once

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)

// A file of integer kernels defines PLINTH_SIMD_INT8 first: AVX3_DL is the AVX-512 with byte dot
// products (VNNI), and Highway leaves it out unless it is asked for.
#ifdef PLINTH_SIMD_INT8
#define HWY_WANT_AVX3_DL
#endif

#include <hwy/targets.h>
