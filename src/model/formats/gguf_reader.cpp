#include "model/formats/gguf_reader.h"

#include <algorithm>
#include <cstring>
#include <optional>

namespace plinth::model {
namespace {

constexpr uint64_t kKeysMax = 1 << 16;
constexpr uint64_t kTensorsMax = 1 << 16;
constexpr uint32_t kDimensionsMax = 4;
constexpr uint64_t kAlignmentMax = 1 << 20;

// Bytes of a scalar; 0 for strings, arrays and unknown types.
size_t scalar_bytes(GgufType type) {
  switch (type) {
    case GgufType::kU8:
    case GgufType::kI8:
    case GgufType::kBool:
      return 1;
    case GgufType::kU16:
    case GgufType::kI16:
      return 2;
    case GgufType::kU32:
    case GgufType::kI32:
    case GgufType::kF32:
      return 4;
    case GgufType::kU64:
    case GgufType::kI64:
    case GgufType::kF64:
      return 8;
    default:
      return 0;
  }
}

// Reads front to back and never past the end.
class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> bytes) : bytes_(bytes) {}

  size_t at() const { return at_; }

  std::optional<std::span<const std::byte>> take(uint64_t n) {
    if (n > bytes_.size() - at_) return std::nullopt;
    const auto taken = bytes_.subspan(at_, n);
    at_ += n;
    return taken;
  }

  template <typename T>
  std::optional<T> number() {
    const auto taken = take(sizeof(T));
    if (!taken) return std::nullopt;
    T value;
    std::memcpy(&value, taken->data(), sizeof value);
    return value;
  }

  std::optional<std::string_view> text() {
    const auto length = number<uint64_t>();
    if (!length) return std::nullopt;
    const auto taken = take(*length);
    if (!taken) return std::nullopt;
    return std::string_view(reinterpret_cast<const char*>(taken->data()), taken->size());
  }

 private:
  std::span<const std::byte> bytes_;
  size_t at_ = 0;
};

// A scalar of a type that scalar_bytes() knows, widened.
template <typename T>
T widen(const std::byte* data, GgufType type) {
  const auto as = [data](auto example) {
    std::memcpy(&example, data, sizeof example);
    return static_cast<T>(example);
  };
  switch (type) {
    case GgufType::kU8:
    case GgufType::kBool:
      return as(uint8_t{});
    case GgufType::kI8:
      return as(int8_t{});
    case GgufType::kU16:
      return as(uint16_t{});
    case GgufType::kI16:
      return as(int16_t{});
    case GgufType::kU32:
      return as(uint32_t{});
    case GgufType::kI32:
      return as(int32_t{});
    case GgufType::kU64:
      return as(uint64_t{});
    case GgufType::kI64:
      return as(int64_t{});
    case GgufType::kF32:
      return as(float{});
    case GgufType::kF64:
      return as(double{});
    default:
      return T{};
  }
}

bool is_float(GgufType type) {
  return type == GgufType::kF32 || type == GgufType::kF64;
}

bool is_signed(GgufType type) {
  return type == GgufType::kI8 || type == GgufType::kI16 || type == GgufType::kI32 ||
         type == GgufType::kI64;
}

struct ForeignType {
  uint32_t id;
  std::string_view name;
};

// Of enum ggml_type, what kGgufTensorTypes does not have: known, so that a refusal can name it.
constexpr ForeignType kForeignTypes[] = {
    {9, "Q8_1"},     {10, "Q2_K"},  {11, "Q3_K"},   {15, "Q8_K"},  {16, "IQ2_XXS"}, {17, "IQ2_XS"},
    {18, "IQ3_XXS"}, {19, "IQ1_S"}, {20, "IQ4_NL"}, {21, "IQ3_S"}, {22, "IQ2_S"},   {23, "IQ4_XS"},
    {24, "I8"},      {25, "I16"},   {26, "I32"},    {27, "I64"},   {28, "F64"},     {29, "IQ1_M"},
    {34, "TQ1_0"},   {35, "TQ2_0"}, {39, "MXFP4"}};

// "F32, F16, ... and Q6_K".
std::string supported_types() {
  std::string names;
  for (const auto& of : tensor::kDTypes) {
    if (!names.empty()) names += &of == &tensor::kDTypes.back() ? " and " : ", ";
    names += of.name;
  }
  return names;
}

}  // namespace

class GgufFile::Parser {
 public:
  Parser(std::span<const std::byte> bytes, GgufFile& file)
      : bytes_(bytes), cursor_(bytes), file_(file) {}

  Status run() {
    PLINTH_TRY(header());
    for (uint64_t i = 0; i < keys_; ++i) PLINTH_TRY(key_value());
    for (uint64_t i = 0; i < tensors_; ++i) PLINTH_TRY(tensor_info());
    return place_tensors();
  }

 private:
  // A tensor whose place in the file is still to be checked.
  struct Info {
    StoredTensor tensor;
    uint64_t offset = 0;
    uint64_t size = 0;
  };

  Error cut(std::string_view what) const {
    return data_loss("{}: the file ends in {} at byte {} of {}", file_.name_, what, cursor_.at(),
                     bytes_.size());
  }

  Status header() {
    const auto magic = cursor_.number<uint32_t>();
    if (!magic || *magic != kGgufMagic)
      return invalid("{}: not a GGUF file (it does not begin with 'GGUF')", file_.name_);
    const auto version = cursor_.number<uint32_t>();
    if (!version) return cut("the header");
    if (*version != kGgufVersion)
      return invalid("{}: GGUF version {}, only {} is supported{}", file_.name_, *version,
                     kGgufVersion, (*version & 0xffff) == 0 ? " (big-endian file)" : "");
    const auto tensors = cursor_.number<uint64_t>();
    const auto keys = cursor_.number<uint64_t>();
    if (!tensors || !keys) return cut("the header");
    if (*tensors > kTensorsMax)
      return invalid("{}: {} tensors, more than {}", file_.name_, *tensors, kTensorsMax);
    if (*keys > kKeysMax)
      return invalid("{}: {} metadata keys, more than {}", file_.name_, *keys, kKeysMax);
    tensors_ = *tensors;
    keys_ = *keys;
    return {};
  }

  Status key_value() {
    const auto key = cursor_.text();
    if (!key) return cut("a metadata key");
    const auto type = cursor_.number<uint32_t>();
    if (!type) return cut("a metadata type");
    PLINTH_TRY(const auto parsed, value(*key, static_cast<GgufType>(*type)));
    if (!file_.values_.emplace(*key, parsed).second)
      return invalid("{}: metadata key {} appears twice", file_.name_, *key);
    return {};
  }

  Result<Value> value(std::string_view key, GgufType type) {
    if (type == GgufType::kArray) return array(key);
    if (type == GgufType::kString) {
      const auto text = cursor_.text();
      if (!text) return cut(key);
      return Value(*text);
    }
    const size_t size = scalar_bytes(type);
    if (size == 0)
      return invalid("{}: metadata key {} has unknown type {}", file_.name_, key,
                     static_cast<uint32_t>(type));
    const auto taken = cursor_.take(size);
    if (!taken) return cut(key);
    if (is_float(type)) return Value(widen<double>(taken->data(), type));
    if (is_signed(type)) return Value(widen<int64_t>(taken->data(), type));
    return Value(widen<uint64_t>(taken->data(), type));
  }

  Result<Value> array(std::string_view key) {
    const auto type = cursor_.number<uint32_t>();
    const auto count = cursor_.number<uint64_t>();
    if (!type || !count) return cut(key);
    Array array{static_cast<GgufType>(*type), *count, {}};
    const size_t start = cursor_.at();
    if (const size_t size = scalar_bytes(array.type); size > 0) {
      if (*count > bytes_.size() / size || !cursor_.take(*count * size)) return cut(key);
    } else if (array.type == GgufType::kString) {
      for (uint64_t i = 0; i < *count; ++i) {
        if (!cursor_.text()) return cut(key);
      }
    } else {
      return invalid("{}: metadata key {} is an array of type {}", file_.name_, key, *type);
    }
    array.bytes = bytes_.subspan(start, cursor_.at() - start);
    return Value(array);
  }

  Status tensor_info() {
    const auto name = cursor_.text();
    if (!name) return cut("a tensor name");
    const auto dimensions = cursor_.number<uint32_t>();
    if (!dimensions) return cut(*name);
    if (*dimensions < 1 || *dimensions > kDimensionsMax)
      return invalid("{}: tensor {} has {} dimensions, outside 1..{}", file_.name_, *name,
                     *dimensions, kDimensionsMax);
    Info info;
    info.tensor.name = *name;
    for (uint32_t i = 0; i < *dimensions; ++i) {
      const auto extent = cursor_.number<uint64_t>();
      if (!extent) return cut(*name);
      // No extent exceeds the file's bits, so the product below is checked step by step.
      if (*extent == 0 || *extent > bytes_.size() * 8)
        return invalid("{}: tensor {}: extent {} does not fit in a file of {} bytes", file_.name_,
                       *name, *extent, bytes_.size());
      // GGUF puts the contiguous dimension first.
      info.tensor.shape.insert(info.tensor.shape.begin(), static_cast<int64_t>(*extent));
    }
    const auto type = cursor_.number<uint32_t>();
    const auto offset = cursor_.number<uint64_t>();
    if (!type || !offset) return cut(*name);
    info.offset = *offset;
    PLINTH_TRY(info.tensor.type, tensor_type(*name, *type));
    PLINTH_TRY(info.size, tensor_bytes(info.tensor));
    infos_.push_back(std::move(info));
    return {};
  }

  Result<tensor::DType> tensor_type(std::string_view name, uint32_t id) const {
    const auto has_id = [id](const auto& type) { return type.id == id; };
    const auto supported = std::find_if(kGgufTensorTypes.begin(), kGgufTensorTypes.end(), has_id);
    if (supported != kGgufTensorTypes.end()) return supported->type;
    const auto* foreign = std::find_if(std::begin(kForeignTypes), std::end(kForeignTypes), has_id);
    if (foreign == std::end(kForeignTypes))
      return invalid("{}: tensor {} has unknown type {}", file_.name_, name, id);
    return make_error(Code::kUnimplemented,
                      "{}: tensor {} has type {}, which is not supported ({} are)", file_.name_,
                      name, foreign->name, supported_types());
  }

  Result<uint64_t> tensor_bytes(const StoredTensor& tensor) const {
    const int64_t cols = tensor.shape.back();
    const auto& of = tensor::traits(tensor.type);
    if (cols % of.block != 0)
      return invalid("{}: tensor {}: rows of {} elements cannot be {} (blocks of {})", file_.name_,
                     tensor.name, cols, of.name, of.block);
    uint64_t size = tensor::row_bytes(tensor.type, cols);
    for (size_t i = 0; i + 1 < tensor.shape.size(); ++i) {
      const auto extent = static_cast<uint64_t>(tensor.shape[i]);
      if (size > bytes_.size() / extent)
        return invalid("{}: tensor {} is larger than the file of {} bytes", file_.name_,
                       tensor.name, bytes_.size());
      size *= extent;
    }
    return size;
  }

  Result<uint64_t> alignment() const {
    PLINTH_TRY(const int64_t stated, file_.integer_or("general.alignment", kGgufAlignment));
    const auto value = static_cast<uint64_t>(stated);
    if (stated < 8 || value > kAlignmentMax || (value & (value - 1)) != 0)
      return invalid("{}: general.alignment {} is not a power of two in 8..{}", file_.name_, stated,
                     kAlignmentMax);
    return value;
  }

  // Fills in where each tensor's bytes are, after checking that they are there and its own.
  Status place_tensors() {
    PLINTH_TRY(const uint64_t align, alignment());
    const uint64_t data = (cursor_.at() + align - 1) / align * align;
    const uint64_t available = data > bytes_.size() ? 0 : bytes_.size() - data;
    for (auto& info : infos_) {
      if (info.offset % align != 0)
        return invalid("{}: tensor {}: offset {} is not a multiple of {}", file_.name_,
                       info.tensor.name, info.offset, align);
      if (info.offset > available || info.size > available - info.offset)
        return data_loss("{}: tensor {}: {} bytes at offset {} of {} bytes of tensor data",
                         file_.name_, info.tensor.name, info.size, info.offset, available);
      info.tensor.bytes = bytes_.subspan(data + info.offset, info.size);
    }
    PLINTH_TRY(refuse_overlaps());
    for (auto& info : infos_) file_.tensors_.push_back(std::move(info.tensor));
    return {};
  }

  Status refuse_overlaps() const {
    std::vector<const Info*> order;
    for (const auto& info : infos_) order.push_back(&info);
    std::sort(order.begin(), order.end(),
              [](const Info* a, const Info* b) { return a->offset < b->offset; });
    for (size_t i = 1; i < order.size(); ++i) {
      if (order[i - 1]->offset + order[i - 1]->size > order[i]->offset)
        return invalid("{}: tensors {} and {} overlap at offset {}", file_.name_,
                       order[i - 1]->tensor.name, order[i]->tensor.name, order[i]->offset);
    }
    return {};
  }

  std::span<const std::byte> bytes_;
  Cursor cursor_;
  GgufFile& file_;
  uint64_t keys_ = 0;
  uint64_t tensors_ = 0;
  std::vector<Info> infos_;
};

Result<GgufFile> GgufFile::parse(std::span<const std::byte> bytes, std::string_view name) {
  GgufFile file;
  file.name_ = name;
  PLINTH_TRY(Parser(bytes, file).run());
  return file;
}

Result<const GgufFile::Value*> GgufFile::find(std::string_view key) const {
  const auto it = values_.find(key);
  if (it == values_.end()) return invalid("{}: metadata key {} is missing", name_, key);
  return &it->second;
}

Result<std::string_view> GgufFile::text(std::string_view key) const {
  PLINTH_TRY(const Value* value, find(key));
  if (const auto* text = std::get_if<std::string_view>(value)) return *text;
  return invalid("{}: metadata key {} is not a string", name_, key);
}

Result<int64_t> GgufFile::integer(std::string_view key) const {
  PLINTH_TRY(const Value* value, find(key));
  if (const auto* number = std::get_if<int64_t>(value)) return *number;
  if (const auto* number = std::get_if<uint64_t>(value)) {
    if (*number <= static_cast<uint64_t>(INT64_MAX)) return static_cast<int64_t>(*number);
    return invalid("{}: metadata key {} is {}, too large", name_, key, *number);
  }
  return invalid("{}: metadata key {} is not an integer", name_, key);
}

Result<double> GgufFile::number(std::string_view key) const {
  PLINTH_TRY(const Value* value, find(key));
  if (const auto* number = std::get_if<double>(value)) return *number;
  return invalid("{}: metadata key {} is not a float", name_, key);
}

Result<std::vector<std::string_view>> GgufFile::texts(std::string_view key) const {
  PLINTH_TRY(const Value* value, find(key));
  const auto* array = std::get_if<Array>(value);
  if (array == nullptr || array->type != GgufType::kString)
    return invalid("{}: metadata key {} is not an array of strings", name_, key);
  std::vector<std::string_view> texts;
  texts.reserve(array->count);
  Cursor cursor(array->bytes);
  while (const auto text = cursor.text()) texts.push_back(*text);
  return texts;
}

Result<std::vector<int64_t>> GgufFile::integers(std::string_view key) const {
  PLINTH_TRY(const Value* value, find(key));
  const auto* array = std::get_if<Array>(value);
  if (array == nullptr || array->type == GgufType::kString || is_float(array->type))
    return invalid("{}: metadata key {} is not an array of integers", name_, key);
  const size_t size = scalar_bytes(array->type);
  std::vector<int64_t> integers(array->count);
  for (size_t i = 0; i < integers.size(); ++i)
    integers[i] = widen<int64_t>(array->bytes.data() + i * size, array->type);
  return integers;
}

Result<std::vector<float>> GgufFile::floats(std::string_view key) const {
  PLINTH_TRY(const Value* value, find(key));
  const auto* array = std::get_if<Array>(value);
  if (array == nullptr || array->type != GgufType::kF32)
    return invalid("{}: metadata key {} is not an array of float32", name_, key);
  std::vector<float> floats(array->count);
  if (!floats.empty())
    std::memcpy(floats.data(), array->bytes.data(), floats.size() * sizeof(float));
  return floats;
}

Result<std::string_view> GgufFile::text_or(std::string_view key, std::string_view fallback) const {
  return has(key) ? text(key) : fallback;
}

Result<int64_t> GgufFile::integer_or(std::string_view key, int64_t fallback) const {
  return has(key) ? integer(key) : fallback;
}

Result<double> GgufFile::number_or(std::string_view key, double fallback) const {
  return has(key) ? number(key) : fallback;
}

std::map<std::string, std::string> GgufFile::texts_under(std::string_view prefix) const {
  std::map<std::string, std::string> found;
  for (const auto& [key, value] : values_)
    if (const auto* text = std::get_if<std::string_view>(&value);
        text != nullptr && key.starts_with(prefix))
      found.emplace(key, *text);
  return found;
}

}  // namespace plinth::model
