// How a Model comes into being: one loader per source, one place that puts the parts together.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/file.h"
#include "core/result.h"
#include "model/model.h"
#include "model/weight_loader.h"
#include "model/weights_digest.h"

namespace plinth::model {

struct ModelParts {
  ModelConfig config;
  Weights weights;
  std::shared_ptr<const text::Tokenizer> tokenizer;
  std::string chat_template;
  std::shared_ptr<const WeightsDigest> digest;
  std::shared_ptr<const void> storage;
  std::span<const std::byte> mapped = {};  // the mapped file that weights may point into
};

// The only maker of Models.
class Loader {
 public:
  static std::shared_ptr<const Model> finish(ModelParts parts);
  static ModelParts parts(const Model& model);
};

// The same result with the file's name before the message of an error.
template <typename T>
Result<T> in_file(std::string_view file, Result<T> result) {
  if (result) return result;
  return make_error(result.error().code, "{}: {}", file, result.error().message);
}

// A GGUF v3 image. `name` begins every message; `storage` holds what `bytes` point into.
Result<std::shared_ptr<const Model>> load_gguf(std::span<const std::byte> bytes,
                                               std::string_view name,
                                               std::shared_ptr<WeightStorage> storage,
                                               DigestMemo memo = {});

// A Hugging Face folder: config.json, *.safetensors, tokenizer.json.
Result<std::shared_ptr<const Model>> load_hf_folder(const Path& folder, DigestMemo memo = {});

// A GGUF v3 image of type adapter; `storage` as above.
Result<std::shared_ptr<const Adapter>> load_gguf_adapter(std::span<const std::byte> bytes,
                                                         std::string_view name,
                                                         const ModelConfig& base,
                                                         std::shared_ptr<WeightStorage> storage);

// A PEFT folder: adapter_config.json, adapter_model.safetensors.
Result<std::shared_ptr<const Adapter>> load_peft(const Path& folder, const ModelConfig& base);

}  // namespace plinth::model
