// Large memory of whole pages, zero at first, huge pages where the system grants them.
#pragma once

#include <cstddef>
#include <span>

#include "core/result.h"

namespace plinth {

class Pages {
 public:
  // kResourceExhausted names the size that was refused.
  static Result<Pages> allocate(size_t bytes);

  Pages() = default;
  Pages(Pages&& other) noexcept;
  Pages& operator=(Pages&& other) noexcept;
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  ~Pages();

  // Aligned to 2 MiB.
  std::byte* data() const { return data_; }

  size_t size() const { return size_; }

 private:
  std::byte* data_ = nullptr;
  size_t size_ = 0;
  void* mapping_ = nullptr;
  size_t mapped_ = 0;
};

// Gives back the memory of whole pages inside `bytes`, which must lie in a mapped file: what is
// read again later comes from the file again.
void forget_pages(std::span<const std::byte> bytes);

}  // namespace plinth
