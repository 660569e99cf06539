#include <filesystem>
#include <utility>

#include "model/loader.h"
#include "model/model.h"

namespace plinth::model {

Result<std::shared_ptr<const Adapter>> Adapter::open(const Path& path, const ModelConfig& base) {
  std::error_code code;
  if (std::filesystem::is_directory(path, code)) return load_peft(path, base);
  PLINTH_TRY(auto file, MappedFile::open(path));
  auto storage = std::make_shared<WeightStorage>();
  storage->files.push_back(std::move(file));
  const auto bytes = storage->files.front().bytes();
  return load_gguf_adapter(bytes, path.string(), base, std::move(storage));
}

}  // namespace plinth::model
