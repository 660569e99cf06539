#include "knowledge/index_file.h"

#include "core/hash.h"

namespace plinth::knowledge {
namespace {

constexpr std::string_view kMagic = "PLKNOWLG";
constexpr uint64_t kVersion = 1;

void put_fixed(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

uint64_t fixed(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes.size(); ++i)
    value |= uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  return value;
}

}  // namespace

void put_number(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>((value & 0x7f) | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

void put_text(std::string& out, std::string_view text) {
  put_number(out, text.size());
  out += text;
}

std::string seal(std::string payload) {
  std::string file(kMagic);
  put_fixed(file, kVersion, 8);
  put_fixed(file, payload.size(), 8);
  put_fixed(file, xxh3(payload), 8);
  return file + payload;
}

Result<std::string_view> unseal(std::string_view file) {
  if (file.size() < kHeaderBytes || !file.starts_with(kMagic))
    return data_loss("knowledge index: {} bytes without its header", file.size());
  if (const uint64_t version = fixed(file.substr(8, 8)); version != kVersion)
    return data_loss("knowledge index: version {}, this Plinth reads {}", version, kVersion);
  const std::string_view payload = file.substr(kHeaderBytes);
  if (const uint64_t bytes = fixed(file.substr(16, 8)); bytes != payload.size())
    return data_loss("knowledge index: {} bytes of payload, the header says {}", payload.size(),
                     bytes);
  if (fixed(file.substr(24, 8)) != xxh3(payload))
    return data_loss("knowledge index: the checksum does not match");
  return payload;
}

uint64_t Reader::number(uint64_t max) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (left_.empty()) break;
    const auto byte = static_cast<unsigned char>(left_.front());
    left_.remove_prefix(1);
    value |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) {
      if (value > max) break;
      return value;
    }
  }
  ok_ = false;
  left_ = {};
  return 0;
}

std::string_view Reader::take(uint64_t bytes) {
  if (bytes > left_.size()) {
    ok_ = false;
    left_ = {};
    return {};
  }
  const std::string_view taken = left_.substr(0, bytes);
  left_.remove_prefix(bytes);
  return taken;
}

std::string_view Reader::text() {
  return take(number(left_.size()));
}

uint64_t Reader::count(uint64_t entry_bytes) {
  return number(left_.size() / entry_bytes);
}

}  // namespace plinth::knowledge
