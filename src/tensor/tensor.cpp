#include "tensor/tensor.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <new>

#include "tensor/half.h"

namespace plinth::tensor {
namespace {

constexpr std::align_val_t kCacheLine{64};

template <typename T>
T load(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

void quantise_block(const float* x, uint8_t* out) {
  float peak = 0;
  for (int i = 0; i < kQ8Block; ++i) peak = std::max(peak, std::abs(x[i]));
  const float scale = peak / 127.0f;
  const float inverse = scale > 0 ? 1.0f / scale : 0.0f;
  const uint16_t scale_bits = f32_to_f16(scale);
  std::memcpy(out, &scale_bits, sizeof scale_bits);
  for (int i = 0; i < kQ8Block; ++i) {
    // A scale below the normal range makes the inverse overflow, and NaN compares false: both end
    // inside the range of int8.
    const float q = std::round(x[i] * inverse);
    const float clamped = q >= -127.0f ? std::min(q, 127.0f) : -127.0f;
    out[2 + i] = static_cast<uint8_t>(static_cast<int8_t>(clamped));
  }
}

}  // namespace

std::string_view dtype_name(DType type) {
  switch (type) {
    case DType::kF32:
      return "F32";
    case DType::kF16:
      return "F16";
    case DType::kBF16:
      return "BF16";
    case DType::kQ8_0:
      return "Q8_0";
  }
  return "unknown";
}

size_t row_bytes(DType type, int64_t cols) {
  const auto n = static_cast<size_t>(cols);
  switch (type) {
    case DType::kF32:
      return n * 4;
    case DType::kF16:
    case DType::kBF16:
      return n * 2;
    case DType::kQ8_0:
      PLINTH_CHECK(cols % kQ8Block == 0, "Q8_0 row of {} elements is not in blocks of {}", cols,
                   kQ8Block);
      return n / kQ8Block * kQ8Bytes;
  }
  PLINTH_CHECK(false, "unknown element type {}", static_cast<int>(type));
  return 0;
}

void Buffer::Free::operator()(float* p) const {
  ::operator delete[](p, kCacheLine);
}

void Buffer::resize(int64_t n) {
  PLINTH_CHECK(n >= 0, "a buffer of {}", n);
  if (n > capacity_) {
    data_.reset();  // before the new memory is asked for: the old contents are not kept
    data_.reset(
        static_cast<float*>(::operator new[](static_cast<size_t>(n) * sizeof(float), kCacheLine)));
    capacity_ = n;
  }
  size_ = n;
}

void Buffer::fill(float value) {
  std::fill_n(data(), size_, value);
}

void to_f32(const void* data, DType type, int64_t n, float* out) {
  const auto* bytes = static_cast<const uint8_t*>(data);
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
    case DType::kQ8_0:
      PLINTH_CHECK(n % kQ8Block == 0, "{} elements of Q8_0", n);
      for (int64_t block = 0; block < n / kQ8Block; ++block, bytes += kQ8Bytes) {
        const float scale = f16_to_f32(load<uint16_t>(bytes));
        for (int i = 0; i < kQ8Block; ++i)
          out[block * kQ8Block + i] = scale * static_cast<float>(load<int8_t>(bytes + 2 + i));
      }
      return;
  }
}

void from_f32(const float* data, int64_t n, DType type, void* out) {
  auto* bytes = static_cast<uint8_t*>(out);
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
    case DType::kQ8_0:
      PLINTH_CHECK(n % kQ8Block == 0, "{} elements of Q8_0", n);
      for (int64_t block = 0; block < n / kQ8Block; ++block)
        quantise_block(data + block * kQ8Block, bytes + block * kQ8Bytes);
      return;
  }
}

}  // namespace plinth::tensor
