#include "model/formats/gguf_header.h"

#include <cstring>

namespace plinth::model {
namespace {

template <typename T>
void put(T value, std::string& out) {
  char raw[sizeof value];
  std::memcpy(raw, &value, sizeof value);
  out.append(raw, sizeof value);
}

void put_text(std::string_view text, std::string& out) {
  put(static_cast<uint64_t>(text.size()), out);
  out += text;
}

}  // namespace

void GgufHeader::text(std::string_view key, std::string_view value) {
  begin(key, GgufType::kString);
  put_text(value, keys_);
}

void GgufHeader::u32(std::string_view key, int64_t value) {
  begin(key, GgufType::kU32);
  put(static_cast<uint32_t>(value), keys_);
}

void GgufHeader::f32(std::string_view key, float value) {
  begin(key, GgufType::kF32);
  put(value, keys_);
}

void GgufHeader::flag(std::string_view key, bool value) {
  begin(key, GgufType::kBool);
  put(static_cast<uint8_t>(value), keys_);
}

void GgufHeader::texts(std::string_view key, const std::vector<std::string>& values) {
  begin_array(key, GgufType::kString, values.size());
  for (const auto& value : values) put_text(value, keys_);
}

void GgufHeader::i32s(std::string_view key, const std::vector<int32_t>& values) {
  begin_array(key, GgufType::kI32, values.size());
  for (const int32_t value : values) put(value, keys_);
}

void GgufHeader::f32s(std::string_view key, const std::vector<float>& values) {
  begin_array(key, GgufType::kF32, values.size());
  for (const float value : values) put(value, keys_);
}

void GgufHeader::u8s(std::string_view key, std::string_view values) {
  begin_array(key, GgufType::kU8, values.size());
  keys_ += values;
}

std::string GgufHeader::bytes(std::span<const GgufEntry> tensors) const {
  std::string out;
  put(kGgufMagic, out);
  put(kGgufVersion, out);
  put(static_cast<uint64_t>(tensors.size()), out);
  put(count_, out);
  out += keys_;
  uint64_t offset = 0;
  for (const auto& entry : tensors) {
    put_text(entry.name, out);
    put(static_cast<uint32_t>(entry.extents.size()), out);
    for (const uint64_t extent : entry.extents) put(extent, out);
    put(gguf_tensor_type(entry.type).id, out);
    put(offset, out);
    offset += entry.bytes + gguf_padding(entry.bytes);
  }
  out.resize(out.size() + gguf_padding(out.size()));
  return out;
}

void GgufHeader::begin(std::string_view key, GgufType type) {
  put_text(key, keys_);
  put(static_cast<uint32_t>(type), keys_);
  ++count_;
}

void GgufHeader::begin_array(std::string_view key, GgufType type, size_t size) {
  begin(key, GgufType::kArray);
  put(static_cast<uint32_t>(type), keys_);
  put(static_cast<uint64_t>(size), keys_);
}

}  // namespace plinth::model
