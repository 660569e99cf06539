#include "core/pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

namespace plinth {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

}  // namespace

Result<Pages> Pages::allocate(size_t bytes) {
  Pages pages;
  if (bytes == 0) return pages;
  const size_t mapped = bytes + kHugePage;
  void* mapping =
      ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED)
    return make_error(Code::kResourceExhausted, "no memory for {} bytes", bytes);
  const auto address = reinterpret_cast<uintptr_t>(mapping);
  pages.mapping_ = mapping;
  pages.mapped_ = mapped;
  pages.data_ = static_cast<std::byte*>(mapping) + (kHugePage - address % kHugePage) % kHugePage;
  pages.size_ = bytes;
  ::madvise(pages.data_, bytes, MADV_HUGEPAGE);  // advice: small pages work too
  return pages;
}

Pages::Pages(Pages&& other) noexcept {
  *this = std::move(other);
}

Pages& Pages::operator=(Pages&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapping_, other.mapping_);
  std::swap(mapped_, other.mapped_);
  return *this;
}

Pages::~Pages() {
  if (mapping_ != nullptr) ::munmap(mapping_, mapped_);
}

void forget_pages(std::span<const std::byte> bytes) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<uintptr_t>(bytes.data()) + page - 1) / page * page;
  const auto end = reinterpret_cast<uintptr_t>(bytes.data() + bytes.size()) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

}  // namespace plinth
