// A GGUF v3 file taken apart: metadata by key, tensors by name. The input is hostile: every count,
// size, offset and string is checked against the file before it is used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/result.h"
#include "model/formats/gguf_format.h"
#include "model/stored_tensor.h"

namespace plinth::model {

// Everything here is a view into the bytes given to parse().
class GgufFile {
 public:
  // `name` begins every message.
  static Result<GgufFile> parse(std::span<const std::byte> bytes, std::string_view name);

  bool has(std::string_view key) const { return values_.contains(key); }

  // A value by key and type; a missing key and another type are errors that name the key.
  Result<std::string_view> text(std::string_view key) const;
  Result<int64_t> integer(std::string_view key) const;
  Result<double> number(std::string_view key) const;
  Result<std::vector<std::string_view>> texts(std::string_view key) const;
  Result<std::vector<int64_t>> integers(std::string_view key) const;
  Result<std::vector<float>> floats(std::string_view key) const;  // of type F32

  // The same with a default for a missing key.
  Result<std::string_view> text_or(std::string_view key, std::string_view fallback) const;
  Result<int64_t> integer_or(std::string_view key, int64_t fallback) const;
  Result<double> number_or(std::string_view key, double fallback) const;

  // All strings whose keys begin so.
  std::map<std::string, std::string> texts_under(std::string_view prefix) const;

  // In file order; none overlap. Only types that the tensor module computes with.
  const std::vector<StoredTensor>& tensors() const { return tensors_; }

 private:
  class Parser;

  // Elements are left in the file until somebody asks for them.
  struct Array {
    GgufType type = GgufType::kU8;
    uint64_t count = 0;
    std::span<const std::byte> bytes;
  };

  // Unsigned integers and booleans, signed integers, floats, strings, arrays.
  using Value = std::variant<uint64_t, int64_t, double, std::string_view, Array>;

  Result<const Value*> find(std::string_view key) const;

  std::string name_;
  std::map<std::string_view, Value> values_;
  std::vector<StoredTensor> tensors_;
};

}  // namespace plinth::model
