#include "core/huge_pages.h"

#include <sys/mman.h>

#include <cstdint>

namespace plinth {
namespace {

constexpr uintptr_t kHugePage = uintptr_t{2} << 20;

// What is refused changes nothing but speed, so nobody asks.
void advise(std::span<std::byte> bytes, int advice) {
  const auto address = reinterpret_cast<uintptr_t>(bytes.data());
  const uintptr_t begin = (address + kHugePage - 1) / kHugePage * kHugePage;
  const uintptr_t end = (address + bytes.size()) / kHugePage * kHugePage;
  if (begin < end) (void)::madvise(bytes.data() + (begin - address), end - begin, advice);
}

}  // namespace

void prefer_huge_pages(std::span<std::byte> bytes) {
  advise(bytes, MADV_HUGEPAGE);
}

void prefer_small_pages(std::span<std::byte> bytes) {
  advise(bytes, MADV_NOHUGEPAGE);
}

}  // namespace plinth
