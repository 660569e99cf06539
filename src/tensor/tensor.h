// The nouns of the tensor module: views of float matrices, frozen weights of any stored type, and
// aligned buffers to put results in.
//
// Views own nothing and are passed by value. Rows are contiguous; `stride` is the distance between
// rows in elements, so a view can be a column slice of a wider matrix. Activations are always F32;
// only weights come in other types.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "core/result.h"

namespace plinth::tensor {

// How the elements of a weight are stored. The quantised ones are GGUF's, byte for byte
// (quant/layout.h): each block of a row has its own scale, so a row is a whole number of blocks.
enum class DType : uint8_t {
  kF32,
  kF16,
  kBF16,
  kQ8_0,  // blocks of 32: code * scale
  kQ4_0,
  kQ5_0,
  kQ4_1,  // blocks of 32: code * scale + minimum
  kQ5_1,
  kQ4_K,  // blocks of 256: eight scales and minima of six bits, themselves scaled
  kQ5_K,
  kQ6_K,  // blocks of 256: sixteen scales of eight bits, themselves scaled
};

// `block` elements take `bytes` bytes; a plain number is a block of one.
struct DTypeTraits {
  DType type;
  std::string_view name;
  int64_t block;
  size_t bytes;
};

// In the order of DType.
inline constexpr std::array<DTypeTraits, 11> kDTypes = {{
    {DType::kF32, "F32", 1, 4},
    {DType::kF16, "F16", 1, 2},
    {DType::kBF16, "BF16", 1, 2},
    {DType::kQ8_0, "Q8_0", 32, 34},
    {DType::kQ4_0, "Q4_0", 32, 18},
    {DType::kQ5_0, "Q5_0", 32, 22},
    {DType::kQ4_1, "Q4_1", 32, 20},
    {DType::kQ5_1, "Q5_1", 32, 24},
    {DType::kQ4_K, "Q4_K", 256, 144},
    {DType::kQ5_K, "Q5_K", 256, 176},
    {DType::kQ6_K, "Q6_K", 256, 210},
}};

constexpr const DTypeTraits& traits(DType type) {
  return kDTypes[static_cast<size_t>(type)];
}

constexpr bool is_quantised(DType type) {
  return traits(type).block > 1;
}

constexpr std::string_view dtype_name(DType type) {
  return traits(type).name;
}

// By name, in capitals or not: "q4_k". Empty for any other text.
std::optional<DType> parse_dtype(std::string_view name);

// Bytes of one row of `cols` elements, which are whole blocks.
size_t row_bytes(DType type, int64_t cols);

struct ConstMatrix {
  const float* data = nullptr;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t stride = 0;  // elements between rows, >= cols

  const float* row(int64_t i) const { return data + i * stride; }

  ConstMatrix slice(int64_t first, int64_t n) const { return {row(first), n, cols, stride}; }
};

struct Matrix {
  float* data = nullptr;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t stride = 0;

  float* row(int64_t i) const { return data + i * stride; }

  Matrix slice(int64_t first, int64_t n) const { return {row(first), n, cols, stride}; }

  operator ConstMatrix() const {
    return {data, rows, cols, stride};
  }  // NOLINT(google-explicit-constructor): reading is always allowed
};

inline Matrix matrix(float* data, int64_t rows, int64_t cols) {
  return {data, rows, cols, cols};
}

inline ConstMatrix matrix(const float* data, int64_t rows, int64_t cols) {
  return {data, rows, cols, cols};
}

// A weight matrix [rows, cols] as stored: a linear layer keeps [outputs, inputs]. The bytes belong
// to whoever mapped or loaded them and are not necessarily aligned.
struct Weight {
  const void* data = nullptr;
  DType type = DType::kF32;
  int64_t rows = 0;
  int64_t cols = 0;
  int panel = 0;  // 0: row after row. Else so many rows interleaved: quant/panels.h

  bool empty() const { return data == nullptr; }

  // The bytes of row r, which is in [0, rows). Of a panel's row they are put together in `scratch`,
  // and valid until its next use.
  const uint8_t* row(int64_t r, std::vector<uint8_t>& scratch) const;
};

inline Weight weight(ConstMatrix m) {
  PLINTH_CHECK(m.stride == m.cols, "a weight is contiguous: stride {} cols {}", m.stride, m.cols);
  return {m.data, DType::kF32, m.rows, m.cols};
}

// Floats aligned to a cache line. resize() keeps memory it already has (grow only), so that a step
// arena is touched once and reused; contents after a growing resize are unspecified until written.
class Buffer {
 public:
  Buffer() = default;

  explicit Buffer(int64_t n) { resize(n); }

  void resize(int64_t n);
  void fill(float value);

  int64_t size() const { return size_; }

  float* data() { return data_.get(); }

  const float* data() const { return data_.get(); }

  std::span<float> span() { return {data_.get(), static_cast<size_t>(size_)}; }

  std::span<const float> span() const { return {data_.get(), static_cast<size_t>(size_)}; }

  // The buffer seen as [rows, cols], resized to fit.
  Matrix as(int64_t rows, int64_t cols) {
    resize(rows * cols);
    return matrix(data(), rows, cols);
  }

  // The same without resizing.
  ConstMatrix as(int64_t rows, int64_t cols) const {
    PLINTH_CHECK(rows * cols <= size_, "[{}, {}] in a buffer of {}", rows, cols, size_);
    return matrix(data(), rows, cols);
  }

 private:
  struct Free {
    void operator()(float* p) const;
  };

  std::unique_ptr<float[], Free> data_;
  int64_t size_ = 0;
  int64_t capacity_ = 0;
};

// One element type to another, n elements in whole blocks; `out` holds n elements of F32. Exact: a
// product of scale and code is rounded once, as the published layouts say. For loaders and
// references.
void to_f32(const void* data, DType type, int64_t n, float* out);
// Rounds to nearest even (F16, BF16) or quantises block by block (quant/encode.cpp). Zeros stay
// zeros; a block with a value that is not finite has no meaning afterwards. `out` holds
// row_bytes(type, n).
void from_f32(const float* data, int64_t n, DType type, void* out);

}  // namespace plinth::tensor
