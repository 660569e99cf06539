// A Hugging Face folder to Model: config.json, safetensors (one file or shards), tokenizer.json,
// and the chat template. What the config asks for and is not implemented is refused by its name.
#include <algorithm>
#include <filesystem>
#include <set>

#include "core/hash.h"
#include "core/json.h"
#include "model/formats/safetensors.h"
#include "model/formats/tokenizer_files.h"
#include "model/loader.h"

namespace plinth::model {
namespace {

// Configuration files are small; the tokenizer of a large vocabulary is not.
constexpr uint64_t kJsonBytesMax = uint64_t{64} << 20;

struct Class {
  std::string_view name;
  std::string_view architecture;
};

constexpr Class kClasses[] = {{"Qwen3ForCausalLM", "qwen3"},
                              {"Qwen2ForCausalLM", "qwen2"},
                              {"LlamaForCausalLM", "llama"},
                              {"MistralForCausalLM", "llama"}};

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

Result<std::string_view> read_architecture(const Json& json) {
  const auto classes = json.find("architectures");
  if (classes == json.end() || !classes->is_array() || classes->empty() ||
      !classes->front().is_string())
    return invalid("'architectures' names no class");
  const auto& found = classes->front().get_ref<const std::string&>();
  for (const auto& known : kClasses) {
    if (known.name == found) return known.architecture;
  }
  return make_error(Code::kUnimplemented,
                    "architecture {} is not supported (Qwen3ForCausalLM, Qwen2ForCausalLM, "
                    "LlamaForCausalLM and MistralForCausalLM are)",
                    found);
}

// An object that describes RoPE: "rope_scaling" until transformers 4, "rope_parameters" since 5.
Status refuse_scaled_rope(const Json& json, const char* key) {
  const auto it = json.find(key);
  if (it == json.end() || it->is_null()) return {};
  const auto type = string_or(*it, "rope_type", string_or(*it, "type", "default"));
  if (type == "default") return {};
  return make_error(Code::kUnimplemented, "{} of type '{}' is not supported", key, type);
}

// What would change the computation in a way that is not implemented.
Status refuse_unsupported(const Json& json, std::string_view architecture) {
  PLINTH_TRY(refuse_scaled_rope(json, "rope_scaling"));
  PLINTH_TRY(refuse_scaled_rope(json, "rope_parameters"));
  if (const auto act = string_or(json, "hidden_act", "silu"); act != "silu")
    return make_error(Code::kUnimplemented, "hidden_act '{}' is not supported (silu is)", act);
  for (const char* key : {"attention_bias", "mlp_bias"}) {
    // Qwen2's class has its q, k and v biases whatever the config says.
    if (architecture != "qwen2" && bool_or(json, key, false))
      return make_error(Code::kUnimplemented, "{} is not supported", key);
  }
  if (json.contains("quantization_config") && !json["quantization_config"].is_null())
    return make_error(Code::kUnimplemented,
                      "quantization_config is not supported: give the "
                      "unquantised checkpoint or a GGUF file");
  if (const double share = number_or(json, "partial_rotary_factor", 1.0); share != 1.0)
    return make_error(Code::kUnimplemented, "partial_rotary_factor {} is not supported", share);
  return {};
}

double read_rope_theta(const Json& json) {
  const auto parameters = json.find("rope_parameters");
  const double fallback =
      parameters != json.end() ? number_or(*parameters, "rope_theta", 10000.0) : 10000.0;
  return number_or(json, "rope_theta", fallback);
}

// The window within which the layers attend; 0 when they attend to everything.
int64_t read_window(const Json& json) {
  const bool used =
      bool_or(json, "use_sliding_window",
              json.value("architectures", Json()) == Json::array({"MistralForCausalLM"}));
  return used ? int_or(json, "sliding_window", 0) : 0;
}

Result<ModelConfig> read_config(const Json& json) {
  ModelConfig config;
  PLINTH_TRY(config.architecture, read_architecture(json));
  config.qk_norm = config.architecture == "qwen3";
  config.qkv_bias = config.architecture == "qwen2";
  PLINTH_TRY(refuse_unsupported(json, config.architecture));
  PLINTH_TRY(config.vocabulary, get_int(json, "vocab_size"));
  PLINTH_TRY(config.width, get_int(json, "hidden_size"));
  PLINTH_TRY(config.layers, get_int(json, "num_hidden_layers"));
  PLINTH_TRY(config.heads, get_int(json, "num_attention_heads"));
  config.kv_heads = int_or(json, "num_key_value_heads", config.heads);
  config.head_dim = int_or(json, "head_dim", config.heads > 0 ? config.width / config.heads : 0);
  PLINTH_TRY(config.ffn, get_int(json, "intermediate_size"));
  PLINTH_TRY(config.context, get_int(json, "max_position_embeddings"));
  // Full attention equals windowed attention as long as the text fits in the window.
  if (const int64_t window = read_window(json); window > 0)
    config.context = std::min(config.context, window);
  PLINTH_TRY(const double eps, get_number(json, "rms_norm_eps"));
  config.rms_eps = static_cast<float>(eps);
  config.rope_theta = static_cast<float>(read_rope_theta(json));
  config.tied = bool_or(json, "tie_word_embeddings", false);
  PLINTH_TRY(config.check());
  return config;
}

// The shards named by the index, or the one file.
Result<std::vector<std::string>> weight_files(const Path& folder) {
  const Path index = folder / "model.safetensors.index.json";
  std::error_code code;
  if (!std::filesystem::exists(index, code)) return std::vector<std::string>{"model.safetensors"};
  PLINTH_TRY(const auto json, read_json(index));
  const auto map = json.find("weight_map");
  if (map == json.end() || !map->is_object())
    return invalid("{}: 'weight_map' is not an object", index.string());
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : map->items()) {
    if (!shard.is_string() || Path(shard.get<std::string>()).filename() != shard.get<std::string>())
      return invalid("{}: tensor {} is in {}, which is not a file of this folder", index.string(),
                     tensor, to_text(shard));
    shards.insert(shard.get<std::string>());
  }
  return std::vector<std::string>(shards.begin(), shards.end());
}

struct Checkpoint {
  std::vector<StoredTensor> tensors;
  std::string digest;
};

Result<Checkpoint> map_weights(const Path& folder, WeightStorage& storage) {
  PLINTH_TRY(const auto names, weight_files(folder));
  Checkpoint checkpoint;
  Sha256 digest;
  for (const auto& name : names) {
    PLINTH_TRY(auto file, MappedFile::open(folder / name));
    PLINTH_TRY(auto tensors, parse_safetensors(file.bytes(), (folder / name).string()));
    digest.update(file.text());
    std::move(tensors.begin(), tensors.end(), std::back_inserter(checkpoint.tensors));
    storage.files.push_back(std::move(file));
  }
  checkpoint.digest = digest.hex();
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

Result<std::shared_ptr<const Model>> load_hf_folder(const Path& folder) {
  const Path config_path = folder / "config.json";
  PLINTH_TRY(const auto json, read_json(config_path));
  ModelParts parts;
  PLINTH_TRY(parts.config, in_file(config_path.string(), read_config(json)));
  parts.config.name = (folder / "").parent_path().filename().string();
  PLINTH_TRY(const auto tokenizer_config, read_json_if_there(folder / "tokenizer_config.json"));
  PLINTH_TRY(parts.tokenizer, read_folder_tokenizer(folder, tokenizer_config, json));
  if (parts.tokenizer->size() > parts.config.vocabulary)
    return invalid("{}: vocab_size {} is less than the tokenizer's {} tokens", config_path.string(),
                   parts.config.vocabulary, parts.tokenizer->size());
  PLINTH_TRY(parts.chat_template, read_chat_template(folder, tokenizer_config));

  auto storage = std::make_shared<WeightStorage>();
  PLINTH_TRY(auto checkpoint, map_weights(folder, *storage));
  PLINTH_TRY(auto picker,
             TensorPicker::create(folder.string(), std::move(checkpoint.tensors), *storage));
  for (int64_t layer = 0; layer < parts.config.layers; ++layer) {
    // Old exports keep RoPE's frequencies, which follow from the config.
    picker.ignore(fmt::format("model.layers.{}.self_attn.rotary_emb.inv_freq", layer));
  }
  PLINTH_TRY(parts.weights, load_weights(parts.config, hugging_face_names(), picker));
  parts.digest = std::move(checkpoint.digest);
  parts.storage = std::move(storage);
  return Loader::finish(std::move(parts));
}

}  // namespace plinth::model
