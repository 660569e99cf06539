// The front of a GGUF file to be: metadata, then one entry for each tensor.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/formats/gguf_format.h"

namespace plinth::model {

struct GgufEntry {
  std::string name;
  std::vector<uint64_t> extents;  // as GGUF writes them, the contiguous one first
  tensor::DType type = tensor::DType::kF32;
  uint64_t bytes = 0;
};

// What follows `bytes` of tensor data, so that the next tensor is aligned.
constexpr uint64_t gguf_padding(uint64_t bytes) {
  return (kGgufAlignment - bytes % kGgufAlignment) % kGgufAlignment;
}

class GgufHeader {
 public:
  // One key each, which must be new.
  void text(std::string_view key, std::string_view value);
  void u32(std::string_view key, int64_t value);
  void f32(std::string_view key, float value);
  void flag(std::string_view key, bool value);
  void texts(std::string_view key, const std::vector<std::string>& values);
  void i32s(std::string_view key, const std::vector<int32_t>& values);
  void f32s(std::string_view key, const std::vector<float>& values);
  void u8s(std::string_view key, std::string_view values);

  // All bytes before the tensor data, padding included. The data must follow in the order of the
  // entries, each tensor padded.
  std::string bytes(std::span<const GgufEntry> tensors) const;

 private:
  void begin(std::string_view key, GgufType type);
  void begin_array(std::string_view key, GgufType type, size_t size);

  std::string keys_;
  uint64_t count_ = 0;
};

}  // namespace plinth::model
