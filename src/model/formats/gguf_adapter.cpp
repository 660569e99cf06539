// Adapters as GGUF files: general.type "adapter", adapter.type "lora", one alpha for all modules,
// and under each matrix's name with .lora_a and .lora_b its factors.
// Source: convert_lora_to_gguf.py and src/llama-adapter.cpp of llama.cpp.
#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "core/hash.h"
#include "model/adapter_lineage.h"
#include "model/formats/atomic_write.h"
#include "model/formats/deltas.h"
#include "model/formats/gguf_header.h"
#include "model/formats/gguf_reader.h"
#include "model/loader.h"

namespace plinth::model {
namespace {

constexpr std::string_view kType = "general.type";
constexpr std::string_view kAdapterType = "adapter.type";
constexpr std::string_view kAlpha = "adapter.lora.alpha";
constexpr std::string_view kInvocation = "adapter.alora.invocation_tokens";

Status check_kind(const GgufFile& file, std::string_view name, const ModelConfig& base) {
  PLINTH_TRY(const auto type, file.text_or(kType, "model"));
  if (type != kGgufAdapter)
    return invalid("{}: {} is '{}', not '{}'", name, kType, type, kGgufAdapter);
  PLINTH_TRY(const auto kind, file.text(kAdapterType));
  if (kind != "lora")
    return make_error(Code::kUnimplemented, "{}: {} '{}' is not supported (lora is)", name,
                      kAdapterType, kind);
  if (file.has(kInvocation))
    return make_error(Code::kUnimplemented, "{}: {} is not supported", name, kInvocation);
  PLINTH_TRY(const auto architecture, file.text("general.architecture"));
  if (architecture != base.architecture)
    return invalid("{}: an adapter of architecture {}, the base is {}", name, architecture,
                   base.architecture);
  return {};
}

// The alpha that most deltas have; of equals, the smallest.
double usual_alpha(const std::vector<WrittenDelta>& deltas) {
  std::map<double, int> counts;
  for (const auto& delta : deltas) ++counts[delta.alpha()];
  const auto fewer = [](const auto& a, const auto& b) { return a.second < b.second; };
  return std::max_element(counts.begin(), counts.end(), fewer)->first;
}

// What B has to be multiplied with so that alpha / rank becomes the delta's scale.
float missing_factor(const WrittenDelta& delta, double alpha) {
  const double wanted = delta.alpha();
  if (std::abs(wanted - alpha) <= 1e-5 * std::abs(alpha)) return 1.0f;
  return static_cast<float>(wanted / alpha);
}

GgufHeader keys_of(const Adapter& adapter, const ModelConfig& base, double alpha) {
  GgufHeader keys;
  keys.text("general.architecture", base.architecture);
  keys.text(kType, kGgufAdapter);
  keys.text("general.name", adapter.name);
  keys.u32("general.file_type", gguf_tensor_type(tensor::DType::kF32).file_type);
  keys.u32("general.quantization_version", 2);
  keys.text(kAdapterType, "lora");
  keys.f32(kAlpha, static_cast<float>(alpha));
  return keys;
}

GgufEntry entry_of(const StoredTensor& stored) {
  GgufEntry entry{stored.name, {}, stored.type, stored.bytes.size()};
  for (const int64_t extent : stored.shape) entry.extents.push_back(static_cast<uint64_t>(extent));
  std::reverse(entry.extents.begin(), entry.extents.end());
  return entry;
}

}  // namespace

Result<std::shared_ptr<const Adapter>> load_gguf_adapter(std::span<const std::byte> bytes,
                                                         std::string_view name,
                                                         const ModelConfig& base,
                                                         std::shared_ptr<WeightStorage> storage) {
  PLINTH_TRY(base.check());
  PLINTH_TRY(const auto* architecture, architecture_of_name(base.architecture));
  PLINTH_TRY(const auto file, GgufFile::parse(bytes, name));
  PLINTH_TRY(check_kind(file, name, base));
  PLINTH_TRY(const double alpha, file.number_or(kAlpha, 0.0));
  // Readers of the format take an alpha of 0, or none, for a delta without a scale.
  const auto scale = [alpha](std::string_view, int64_t rank) -> Result<float> {
    return alpha == 0.0 ? 1.0f : static_cast<float>(alpha / static_cast<double>(rank));
  };
  auto adapter = std::make_shared<Adapter>();
  PLINTH_TRY(auto deltas,
             in_file(name, read_deltas("its weights", file.tensors(), base,
                                       gguf_delta_names(*architecture), scale, *storage)));
  adapter->layers = std::move(deltas.layers);
  adapter->embedding = deltas.embedding;
  adapter->head = deltas.head;
  adapter->name = Path(name).stem().string();
  adapter->digest = sha256_hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  adapter->storage = std::move(storage);
  return std::shared_ptr<const Adapter>(std::move(adapter));
}

Status write_gguf_adapter(const Path& path, const Adapter& adapter, const ModelConfig& base) {
  return write_gguf_adapter(path, adapter, base, {});
}

Status write_gguf_adapter(const Path& path, const Adapter& adapter, const ModelConfig& base,
                          const Lineage& lineage) {
  PLINTH_TRY(const auto* architecture, architecture_of_name(base.architecture));
  const auto names = gguf_delta_names(*architecture);
  PLINTH_TRY(auto deltas, written_deltas(adapter, base, names));
  double alpha = usual_alpha(deltas);
  if (alpha == 0.0) alpha = 1.0;  // which means no scale to readers: let B be zero instead
  std::vector<StoredTensor> tensors;
  std::vector<GgufEntry> entries;
  for (auto& delta : deltas) {
    const float factor = missing_factor(delta, alpha);
    if (factor != 1.0f)
      for (float& value : delta.b) value *= factor;
    delta.append_to(names, tensors);
  }
  for (const auto& stored : tensors) entries.push_back(entry_of(stored));
  return write_atomically(path, [&](OutputFile& file) -> Status {
    auto keys = keys_of(adapter, base, alpha);
    for (const auto& [key, value] : lineage) keys.text(key, value);
    PLINTH_TRY(file.write(keys.bytes(entries)));
    for (const auto& stored : tensors) {
      PLINTH_TRY(
          file.write({reinterpret_cast<const char*>(stored.bytes.data()), stored.bytes.size()}));
      PLINTH_TRY(file.write(std::string(gguf_padding(stored.bytes.size()), '\0')));
    }
    return {};
  });
}

}  // namespace plinth::model
