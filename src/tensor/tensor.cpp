#include "tensor/tensor.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <span>

#include "core/huge_pages.h"
#include "tensor/half.h"
#include "tensor/quant/codec.h"

namespace plinth::tensor {
namespace {

constexpr std::align_val_t kCacheLine{64};

template <typename T>
T load(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

}  // namespace

std::optional<DType> parse_dtype(std::string_view name) {
  const auto capital = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; };
  for (const auto& known : kDTypes) {
    if (std::equal(name.begin(), name.end(), known.name.begin(), known.name.end(),
                   [&](char a, char b) { return capital(a) == b; }))
      return known.type;
  }
  return std::nullopt;
}

size_t row_bytes(DType type, int64_t cols) {
  const auto& of = traits(type);
  PLINTH_CHECK(cols % of.block == 0, "{} row of {} elements is not in blocks of {}", of.name, cols,
               of.block);
  return static_cast<size_t>(cols / of.block) * of.bytes;
}

void Buffer::Free::operator()(float* p) const {
  ::operator delete[](p, kCacheLine);
}

void Buffer::resize(int64_t n) {
  PLINTH_CHECK(n >= 0, "a buffer of {}", n);
  if (n > capacity_) {
    data_.reset();  // before the new memory is asked for: the old contents are not kept
    const auto count = static_cast<size_t>(n);
    data_.reset(static_cast<float*>(::operator new[](count * sizeof(float), kCacheLine)));
    // A training step walks hundreds of megabytes, much of it column by column: with pages of 4 KiB
    // the processor looks up about as many addresses as it reads rows.
    prefer_huge_pages(std::as_writable_bytes(std::span(data_.get(), count)));
    capacity_ = n;
  }
  size_ = n;
}

void Buffer::fill(float value) {
  std::fill_n(data(), size_, value);
}

void to_f32(const void* data, DType type, int64_t n, float* out) {
  const auto* bytes = static_cast<const uint8_t*>(data);
  const auto& of = traits(type);
  PLINTH_CHECK(n % of.block == 0, "{} elements of {}", n, of.name);
  switch (type) {
    case DType::kF32:
      if (n > 0) std::memcpy(out, bytes, static_cast<size_t>(n) * sizeof(float));
      return;
    case DType::kF16:
      for (int64_t i = 0; i < n; ++i) out[i] = f16_to_f32(load<uint16_t>(bytes + 2 * i));
      return;
    case DType::kBF16:
      for (int64_t i = 0; i < n; ++i) out[i] = bf16_to_f32(load<uint16_t>(bytes + 2 * i));
      return;
    default:
      for (int64_t i = 0; i < n; i += of.block, bytes += of.bytes)
        decode_block(type, bytes, out + i);
  }
}

void from_f32(const float* data, int64_t n, DType type, void* out) {
  auto* bytes = static_cast<uint8_t*>(out);
  const auto& of = traits(type);
  PLINTH_CHECK(n % of.block == 0, "{} elements of {}", n, of.name);
  switch (type) {
    case DType::kF32:
      if (n > 0) std::memcpy(bytes, data, static_cast<size_t>(n) * sizeof(float));
      return;
    case DType::kF16:
    case DType::kBF16:
      for (int64_t i = 0; i < n; ++i) {
        const uint16_t bits = type == DType::kF16 ? f32_to_f16(data[i]) : f32_to_bf16(data[i]);
        std::memcpy(bytes + 2 * i, &bits, sizeof bits);
      }
      return;
    default:
      for (int64_t i = 0; i < n; i += of.block, bytes += of.bytes)
        encode_block(type, data + i, bytes);
  }
}

}  // namespace plinth::tensor
