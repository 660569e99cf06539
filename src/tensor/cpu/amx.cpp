#include "tensor/cpu/amx.h"

#if defined(__linux__) && defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace plinth::tensor::cpu {
namespace {

bool ask() {
#if defined(__linux__) && defined(__x86_64__)
  unsigned int a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  constexpr unsigned int kBF16 = 1u << 22, kTiles = 1u << 24, kInt8 = 1u << 25;
  if ((d & kTiles) == 0 || (d & kInt8) == 0 || (d & kBF16) == 0) return false;
  // ARCH_REQ_XCOMP_PERM for the tiles' data. Source: Documentation/arch/x86/xstate.rst of Linux.
  return syscall(SYS_arch_prctl, 0x1023, 18) == 0;
#else
  return false;
#endif
}

}  // namespace

bool amx_usable() {
  static const bool usable = ask();
  return usable && amx_allowed.load(std::memory_order_relaxed);
}

}  // namespace plinth::tensor::cpu
