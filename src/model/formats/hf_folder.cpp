// A Hugging Face folder to Model: config.json, safetensors (one file or shards), tokenizer.json,
// and the chat template. What the config asks for and is not implemented is refused by its name.
#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "core/hash.h"
#include "core/json.h"
#include "model/architectures/architecture.h"
#include "model/formats/safetensors.h"
#include "model/formats/tokenizer_files.h"
#include "model/loader.h"

namespace plinth::model {
namespace {

// Configuration files are small; the tokenizer of a large vocabulary is not.
constexpr uint64_t kJsonBytesMax = uint64_t{64} << 20;

Result<Json> read_json(const Path& path) {
  PLINTH_TRY(const auto text, read_file(path, kJsonBytesMax));
  PLINTH_TRY(auto json, parse_json(text, path.string()));
  if (!json.is_object()) return invalid("{}: {}, not an object", path.string(), json.type_name());
  return json;
}

// The file's object, or an empty one when there is no such file.
Result<Json> read_json_if_there(const Path& path) {
  std::error_code code;
  if (!std::filesystem::exists(path, code)) return Json::object();
  return read_json(path);
}

Result<const Architecture*> read_architecture(const Json& json) {
  const auto classes = json.find("architectures");
  if (classes == json.end() || !classes->is_array() || classes->empty() ||
      !classes->front().is_string())
    return invalid("'architectures' names no class");
  return architecture_of_class(classes->front().get_ref<const std::string&>());
}

Result<ModelConfig> read_config(const Json& json, const Architecture& architecture) {
  if (json.contains("quantization_config") && !json["quantization_config"].is_null())
    return make_error(Code::kUnimplemented,
                      "quantization_config is not supported: give the "
                      "unquantised checkpoint or a GGUF file");
  ModelConfig config;
  config.architecture = architecture.name;
  config.rope_style = architecture.checkpoint_rope;
  PLINTH_TRY(architecture.read_checkpoint(json, config));
  if (architecture.define != nullptr) architecture.define(config);
  PLINTH_TRY(config.check());
  return config;
}

// Which file has which tensor, by file; without an index, one file has all.
using Shards = std::map<std::string, std::vector<std::string>>;

constexpr std::string_view kIndexFile = "model.safetensors.index.json";

Result<Shards> read_shards(const Path& folder) {
  const Path index = folder / kIndexFile;
  std::error_code code;
  if (!std::filesystem::exists(index, code)) return Shards{{"model.safetensors", {}}};
  PLINTH_TRY(const auto json, read_json(index));
  const auto map = json.find("weight_map");
  if (map == json.end() || !map->is_object())
    return invalid("{}: 'weight_map' is not an object", index.string());
  Shards shards;
  for (const auto& [tensor, shard] : map->items()) {
    const auto name = shard.is_string() ? shard.get<std::string>() : std::string();
    if (name.empty() || name == "." || name == ".." || Path(name).filename() != name)
      return invalid("{}: tensor {} is in {}, which is not a file of this folder", index.string(),
                     tensor, to_text(shard));
    shards[name].push_back(tensor);
  }
  return shards;
}

struct Checkpoint {
  std::vector<StoredTensor> tensors;
  std::vector<std::span<const std::byte>> files;
};

// Each file is mapped once; the tensors are views into it.
Result<Checkpoint> map_weights(const Path& folder, WeightStorage& storage) {
  PLINTH_TRY(const auto shards, read_shards(folder));
  Checkpoint checkpoint;
  for (const auto& [name, listed] : shards) {
    PLINTH_TRY(auto file, MappedFile::open(folder / name));
    PLINTH_TRY(auto tensors, parse_safetensors(file.bytes(), (folder / name).string()));
    std::set<std::string_view> there;
    for (const auto& tensor : tensors) there.insert(tensor.name);
    for (const auto& tensor : listed) {
      if (!there.contains(tensor))
        return invalid("{}: tensor {} is in {}, says {}, and is not", folder.string(), tensor, name,
                       kIndexFile);
    }
    checkpoint.files.push_back(file.bytes());
    std::move(tensors.begin(), tensors.end(), std::back_inserter(checkpoint.tensors));
    storage.files.push_back(std::move(file));
  }
  return checkpoint;
}

// chat_template.jinja when it is there, else tokenizer_config.json's string, or the one called
// "default" of its list.
Result<std::string> read_chat_template(const Path& folder, const Json& tokenizer_config) {
  const Path path = folder / "chat_template.jinja";
  std::error_code code;
  if (std::filesystem::exists(path, code)) return read_file(path, kJsonBytesMax);
  const auto it = tokenizer_config.find("chat_template");
  if (it == tokenizer_config.end() || it->is_null()) return std::string();
  if (it->is_string()) return it->get<std::string>();
  if (it->is_array()) {
    for (const auto& named : *it) {
      if (string_or(named, "name", "") == "default") return get_string(named, "template");
    }
  }
  return invalid("{}: 'chat_template' is neither a string nor a list with a default",
                 (folder / "tokenizer_config.json").string());
}

}  // namespace

Result<std::shared_ptr<const Model>> load_hf_folder(const Path& folder, DigestMemo memo) {
  const Path config_path = folder / "config.json";
  PLINTH_TRY(const auto json, read_json(config_path));
  ModelParts parts;
  PLINTH_TRY(const auto* architecture, in_file(config_path.string(), read_architecture(json)));
  PLINTH_TRY(parts.config, in_file(config_path.string(), read_config(json, *architecture)));
  parts.config.name = (folder / "").parent_path().filename().string();
  PLINTH_TRY(const auto tokenizer_config, read_json_if_there(folder / "tokenizer_config.json"));
  PLINTH_TRY(parts.tokenizer, read_folder_tokenizer(folder, tokenizer_config, json));
  if (parts.tokenizer->size() > parts.config.vocabulary)
    return invalid("{}: vocab_size {} is less than the tokenizer's {} tokens", config_path.string(),
                   parts.config.vocabulary, parts.tokenizer->size());
  PLINTH_TRY(parts.chat_template, read_chat_template(folder, tokenizer_config));

  auto storage = std::make_shared<WeightStorage>();
  PLINTH_TRY(auto checkpoint, map_weights(folder, *storage));
  PLINTH_TRY(auto picker, TensorPicker::create(folder.string(), std::move(checkpoint.tensors),
                                               *storage, architecture->checkpoint_prefix));
  for (int64_t layer = 0; layer < parts.config.layers; ++layer) {
    // Old exports keep RoPE's frequencies and GPT-2's causal masks, which follow from the config.
    picker.ignore(fmt::format("model.layers.{}.self_attn.rotary_emb.inv_freq", layer));
    picker.ignore(fmt::format("h.{}.attn.bias", layer));
    picker.ignore(fmt::format("h.{}.attn.masked_bias", layer));
  }
  PLINTH_TRY(parts.weights, load_weights(parts.config, architecture->checkpoint_names(), picker));
  parts.digest = std::make_shared<WeightsDigest>(std::move(checkpoint.files), /*mapped=*/true,
                                                 storage, std::move(memo));
  parts.storage = std::move(storage);
  return Loader::finish(std::move(parts));
}

}  // namespace plinth::model
