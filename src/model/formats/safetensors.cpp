#include "model/formats/safetensors.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>

#include "core/json.h"
#include "model/formats/atomic_write.h"

namespace plinth::model {
namespace {

constexpr uint64_t kHeaderBytesMax = 100'000'000;  // the reference implementation's limit
constexpr size_t kLengthBytes = sizeof(uint64_t);
constexpr size_t kDimensionsMax = 8;

struct Placed {
  StoredTensor tensor;
  uint64_t begin = 0;
  uint64_t end = 0;
};

// Notices a second member of one name, which a parsed Json no longer shows. Only events matter.
class DuplicateFinder : public nlohmann::json_sax<Json> {
 public:
  const std::string& duplicate() const { return duplicate_; }

  bool key(string_t& name) override {
    if (names_.back().insert(name).second) return true;
    duplicate_ = name;
    return false;
  }

  bool start_object(size_t) override {
    names_.emplace_back();
    return true;
  }

  bool end_object() override {
    names_.pop_back();
    return true;
  }

  bool null() override { return true; }

  bool boolean(bool) override { return true; }

  bool number_integer(number_integer_t) override { return true; }

  bool number_unsigned(number_unsigned_t) override { return true; }

  bool number_float(number_float_t, const string_t&) override { return true; }

  bool string(string_t&) override { return true; }

  bool binary(binary_t&) override { return true; }

  bool start_array(size_t) override { return true; }

  bool end_array() override { return true; }

  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  std::vector<std::set<std::string>> names_;  // of the objects that are open
  std::string duplicate_;
};

Result<Json> parse_header(std::span<const std::byte> bytes, std::string_view name) {
  if (bytes.size() < kLengthBytes)
    return data_loss("{}: {} bytes are too few for safetensors", name, bytes.size());
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > kHeaderBytesMax || length > bytes.size() - kLengthBytes)
    return data_loss("{}: a header of {} bytes in a file of {}", name, length, bytes.size());
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, length);
  PLINTH_TRY(auto header, parse_json(text, name, 4));
  if (!header.is_object())
    return invalid("{}: the header is {}, not an object", name, header.type_name());
  DuplicateFinder finder;
  if (!Json::sax_parse(text, &finder))
    return invalid("{}: '{}' appears twice in the header", name, finder.duplicate());
  return header;
}

std::optional<tensor::DType> type_of(std::string_view name) {
  for (const auto type : {tensor::DType::kF32, tensor::DType::kF16, tensor::DType::kBF16}) {
    if (tensor::dtype_name(type) == name) return type;
  }
  return std::nullopt;
}

// A JSON array of at most `n_max` whole numbers that are not negative and fit int64_t.
Result<std::vector<int64_t>> whole_numbers(const Json& object, const char* key, size_t n_max) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_array() || it->size() > n_max)
    return invalid("'{}' is not an array of at most {} numbers", key, n_max);
  std::vector<int64_t> numbers;
  for (const auto& element : *it) {
    if (!element.is_number_unsigned() || element.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX))
      return invalid("'{}' holds {}", key, to_text(element));
    numbers.push_back(element.get<int64_t>());
  }
  return numbers;
}

Result<Placed> parse_tensor(const std::string& name, const Json& entry,
                            std::span<const std::byte> data) {
  Placed placed;
  placed.tensor.name = name;
  PLINTH_TRY(const auto type_name, get_string(entry, "dtype"));
  const auto type = type_of(type_name);
  if (!type)
    return make_error(Code::kUnimplemented, "type {} is not supported (F32, F16 and BF16 are)",
                      type_name);
  placed.tensor.type = *type;
  PLINTH_TRY(placed.tensor.shape, whole_numbers(entry, "shape", kDimensionsMax));
  PLINTH_TRY(const auto offsets, whole_numbers(entry, "data_offsets", 2));
  if (offsets.size() != 2 || offsets[0] > offsets[1] ||
      static_cast<uint64_t>(offsets[1]) > data.size())
    return data_loss("data_offsets {} in {} bytes of data", to_text(entry["data_offsets"]),
                     data.size());
  placed.begin = static_cast<uint64_t>(offsets[0]);
  placed.end = static_cast<uint64_t>(offsets[1]);
  placed.tensor.bytes = data.subspan(placed.begin, placed.end - placed.begin);

  uint64_t size = tensor::row_bytes(*type, 1);
  for (const int64_t extent : placed.tensor.shape) {
    // Larger than the file is wrong whatever follows, unless a later extent is zero: then 0 bytes.
    if (extent != 0 && size > UINT64_MAX / static_cast<uint64_t>(extent))
      return invalid("shape {} overflows", to_text(entry["shape"]));
    size *= static_cast<uint64_t>(extent);
  }
  if (size != placed.tensor.bytes.size())
    return data_loss("shape {} of {} needs {} bytes, data_offsets give {}", to_text(entry["shape"]),
                     type_name, size, placed.tensor.bytes.size());
  return placed;
}

Result<Placed> parse_entry(const std::string& name, const Json& entry,
                           std::span<const std::byte> data, std::string_view file) {
  auto placed = parse_tensor(name, entry, data);
  if (placed) return placed;
  return make_error(placed.error().code, "{}: tensor {}: {}", file, name, placed.error().message);
}

}  // namespace

Result<std::vector<StoredTensor>> parse_safetensors(std::span<const std::byte> bytes,
                                                    std::string_view name) {
  PLINTH_TRY(const auto header, parse_header(bytes, name));
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  const auto data = bytes.subspan(kLengthBytes + length);
  std::vector<Placed> placed;
  for (const auto& [key, entry] : header.items()) {
    if (key == "__metadata__") continue;
    PLINTH_TRY(auto one, parse_entry(key, entry, data, name));
    placed.push_back(std::move(one));
  }
  std::sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::vector<StoredTensor> tensors;
  uint64_t covered = 0;
  for (auto& one : placed) {
    if (one.begin != covered)
      return invalid("{}: tensor {} begins at {}, the one before ends at {}", name, one.tensor.name,
                     one.begin, covered);
    covered = one.end;
    tensors.push_back(std::move(one.tensor));
  }
  if (covered != data.size())
    return data_loss("{}: tensors cover {} of {} bytes of data", name, covered, data.size());
  return tensors;
}

std::map<std::string, std::string> safetensors_metadata(std::span<const std::byte> bytes,
                                                        std::string_view prefix) {
  std::map<std::string, std::string> found;
  const auto header = parse_header(bytes, "metadata");
  if (!header) return found;
  const auto metadata = header->find("__metadata__");
  if (metadata == header->end() || !metadata->is_object()) return found;
  for (const auto& [key, value] : metadata->items())
    if (key.starts_with(prefix) && value.is_string()) found[key] = value.get<std::string>();
  return found;
}

Status write_safetensors(const Path& path, std::span<const StoredTensor> tensors,
                         const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const auto& tensor : tensors) {
    PLINTH_CHECK(!tensor::is_quantised(tensor.type), "{}: safetensors has no {}", tensor.name,
                 tensor::dtype_name(tensor.type));
    header[tensor.name] = {{"dtype", std::string(tensor::dtype_name(tensor.type))},
                           {"shape", tensor.shape},
                           {"data_offsets", {offset, offset + tensor.bytes.size()}}};
    offset += tensor.bytes.size();
  }
  std::string text = to_text(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return write_atomically(path, [&](OutputFile& file) -> Status {
    const uint64_t length = text.size();
    char raw[sizeof length];
    std::memcpy(raw, &length, sizeof length);
    PLINTH_TRY(file.write({raw, sizeof raw}));
    PLINTH_TRY(file.write(text));
    for (const auto& tensor : tensors)
      PLINTH_TRY(
          file.write({reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size()}));
    return {};
  });
}

}  // namespace plinth::model
