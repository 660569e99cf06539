#include <filesystem>
#include <utility>

#include "model/adapter_lineage.h"
#include "model/formats/gguf_reader.h"
#include "model/formats/safetensors.h"
#include "model/loader.h"
#include "model/model.h"

namespace plinth::model {

std::vector<LowRank*> delta_places(Adapter& adapter) {
  std::vector<LowRank*> places;
  for (auto& layer : adapter.layers)
    for (auto& delta : layer) places.push_back(&delta);
  places.push_back(&adapter.embedding);
  places.push_back(&adapter.head);
  return places;
}

std::vector<const LowRank*> delta_places(const Adapter& adapter) {
  std::vector<const LowRank*> places;
  for (const auto& layer : adapter.layers)
    for (const auto& delta : layer) places.push_back(&delta);
  places.push_back(&adapter.embedding);
  places.push_back(&adapter.head);
  return places;
}

Result<std::shared_ptr<const Adapter>> Adapter::open(const Path& path, const ModelConfig& base) {
  std::error_code code;
  if (std::filesystem::is_directory(path, code)) return load_peft(path, base);
  PLINTH_TRY(auto file, MappedFile::open(path));
  auto storage = std::make_shared<WeightStorage>();
  storage->files.push_back(std::move(file));
  const auto bytes = storage->files.front().bytes();
  return load_gguf_adapter(bytes, path.string(), base, std::move(storage));
}

Result<Lineage> read_lineage(const Path& adapter) {
  constexpr std::string_view kPrefix = "plinth.";
  std::error_code code;
  const bool is_peft = std::filesystem::is_directory(adapter, code);
  const Path path = is_peft ? adapter / "adapter_model.safetensors" : adapter;
  PLINTH_TRY(const auto file, MappedFile::open(path));
  if (is_peft) return safetensors_metadata(file.bytes(), kPrefix);
  PLINTH_TRY(const auto gguf, GgufFile::parse(file.bytes(), path.string()));
  return gguf.texts_under(kPrefix);
}

}  // namespace plinth::model
