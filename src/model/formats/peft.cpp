// Adapters as PEFT folders: adapter_config.json and adapter_model.safetensors.
// Source: LoraConfig and get_pattern_key of huggingface/peft 0.21.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "core/hash.h"
#include "core/json.h"
#include "model/adapter_lineage.h"
#include "model/formats/deltas.h"
#include "model/formats/safetensors.h"
#include "model/loader.h"

namespace plinth::model {
namespace {

constexpr uint64_t kConfigBytesMax = uint64_t{1} << 20;
constexpr std::string_view kConfigFile = "adapter_config.json";
constexpr std::string_view kWeightsFile = "adapter_model.safetensors";

// rank_pattern or alpha_pattern: module names, or ends of them from a dot on, with their own value.
class Pattern {
 public:
  static Result<Pattern> read(const Json& config, const char* key) {
    Pattern pattern;
    const auto it = config.find(key);
    if (it == config.end() || it->is_null()) return pattern;
    if (!it->is_object()) return invalid("'{}' is {}, not an object", key, it->type_name());
    for (const auto& [name, value] : it->items()) {
      // PEFT reads the names as regular expressions; plain names are all that it writes itself.
      if (name.find_first_of("*+?[](){}|\\$") != std::string::npos)
        return make_error(Code::kUnimplemented, "{} '{}' is a regular expression", key, name);
      if (!value.is_number()) return invalid("{} '{}' is {}", key, name, value.type_name());
      pattern.values_[name] = value.get<double>();
    }
    return pattern;
  }

  Result<double> value_for(std::string_view module, double fallback) const {
    const std::string* found = nullptr;
    for (const auto& [name, value] : values_) {
      if (!matches(name, module)) continue;
      // PEFT takes the first in the file's order, which a JSON object does not promise to keep.
      if (found != nullptr && value != values_.at(*found))
        return invalid("patterns '{}' and '{}' both match {}", *found, name, module);
      found = &name;
    }
    return found != nullptr ? values_.at(*found) : fallback;
  }

 private:
  static bool matches(std::string_view name, std::string_view module) {
    if (name.starts_with('^')) return module == name.substr(1);
    if (!module.ends_with(name)) return false;
    return module.size() == name.size() || module[module.size() - name.size() - 1] == '.';
  }

  std::map<std::string, double> values_;
};

struct Config {
  double rank = 0;
  double alpha = 0;
  bool rslora = false;
  Pattern ranks;
  Pattern alphas;

  // alpha / rank, or alpha / sqrt(rank) (Kalajdzievski, "A Rank Stabilization Scaling Factor for
  // Fine-Tuning with LoRA", 2023).
  Result<float> scale_for(std::string_view module, int64_t module_rank) const {
    const auto divisor = static_cast<double>(module_rank);
    PLINTH_TRY(const double stated, ranks.value_for(module, rank));
    if (stated != divisor)
      return invalid("{}: rank {} in the weights, {} in {}", module, module_rank, stated,
                     kConfigFile);
    PLINTH_TRY(const double module_alpha, alphas.value_for(module, alpha));
    return static_cast<float>(module_alpha / (rslora ? std::sqrt(divisor) : divisor));
  }
};

bool is_set(const Json& config, const char* key) {
  const auto it = config.find(key);
  return it != config.end() && !it->is_null() && !it->empty() && *it != false;
}

Result<Config> parse_config(const Json& json) {
  if (!json.is_object()) return invalid("{}, not an object", json.type_name());
  if (const auto type = string_or(json, "peft_type", ""); type != "LORA")
    return make_error(Code::kUnimplemented, "peft_type '{}' is not supported (LORA is)", type);
  for (const char* key : {"use_dora", "modules_to_save", "lora_bias", "use_qalora",
                          "layer_replication", "trainable_token_indices", "target_parameters",
                          "alora_invocation_tokens", "use_bdlora", "arrow_config", "kasa_config",
                          "velora_config", "monteclora_config", "ensure_weight_tying"}) {
    if (is_set(json, key)) return make_error(Code::kUnimplemented, "{} is not supported", key);
  }
  if (const auto bias = string_or(json, "bias", "none"); bias != "none")
    return make_error(Code::kUnimplemented, "bias '{}' is not supported (none is)", bias);
  Config config;
  PLINTH_TRY(config.rank, get_number(json, "r"));
  PLINTH_TRY(config.alpha, get_number(json, "lora_alpha"));
  config.rslora = bool_or(json, "use_rslora", false);
  PLINTH_TRY(config.ranks, Pattern::read(json, "rank_pattern"));
  PLINTH_TRY(config.alphas, Pattern::read(json, "alpha_pattern"));
  return config;
}

Result<Config> read_config(const Path& path) {
  PLINTH_TRY(const auto text, read_file(path, kConfigBytesMax));
  PLINTH_TRY(const auto json, parse_json(text, path.string()));
  return in_file(path.string(), parse_config(json));
}

// The value that most have; of equals, the smallest.
double usual(const std::vector<double>& values) {
  std::map<double, int> counts;
  for (const double value : values) ++counts[value];
  const auto fewer = [](const auto& a, const auto& b) { return a.second < b.second; };
  return std::max_element(counts.begin(), counts.end(), fewer)->first;
}

}  // namespace

Result<std::shared_ptr<const Adapter>> load_peft(const Path& folder, const ModelConfig& base) {
  PLINTH_TRY(base.check());
  PLINTH_TRY(const auto* architecture, architecture_of_name(base.architecture));
  PLINTH_TRY(const auto config, read_config(folder / kConfigFile));
  const Path path = folder / kWeightsFile;
  PLINTH_TRY(auto file, MappedFile::open(path));
  PLINTH_TRY(auto tensors, parse_safetensors(file.bytes(), path.string()));
  auto storage = std::make_shared<WeightStorage>();
  auto adapter = std::make_shared<Adapter>();
  adapter->name = (folder / "").parent_path().filename().string();
  adapter->digest = sha256_hex(file.text());
  storage->files.push_back(std::move(file));
  const auto scale = [&config](std::string_view module, int64_t rank) {
    return config.scale_for(module, rank);
  };
  PLINTH_TRY(auto deltas, in_file("adapter " + folder.string(),
                                  read_deltas(path.string(), std::move(tensors), base,
                                              peft_names(*architecture), scale, *storage)));
  adapter->layers = std::move(deltas.layers);
  adapter->embedding = deltas.embedding;
  adapter->head = deltas.head;
  adapter->storage = std::move(storage);
  return std::shared_ptr<const Adapter>(std::move(adapter));
}

Status write_peft(const Path& folder, const Adapter& adapter, const ModelConfig& base) {
  return write_peft(folder, adapter, base, {});
}

Status write_peft(const Path& folder, const Adapter& adapter, const ModelConfig& base,
                  const Lineage& lineage) {
  PLINTH_TRY(const auto* architecture, architecture_of_name(base.architecture));
  const auto names = peft_names(*architecture);
  PLINTH_TRY(const auto deltas, written_deltas(adapter, base, names));
  std::vector<double> all_ranks;
  std::vector<double> all_alphas;
  for (const auto& delta : deltas) {
    all_ranks.push_back(static_cast<double>(delta.rank));
    all_alphas.push_back(delta.alpha());
  }
  const auto rank = static_cast<int64_t>(usual(all_ranks));
  const double alpha = usual(all_alphas);
  std::vector<StoredTensor> tensors;
  Json ranks = Json::object();
  Json alphas = Json::object();
  std::set<std::string> targets;
  for (const auto& delta : deltas) {
    delta.append_to(names, tensors);
    targets.insert(delta.module.substr(delta.module.rfind('.') + 1));
    if (delta.rank != rank) ranks[delta.module] = delta.rank;
    if (std::abs(delta.alpha() - alpha) > 1e-5 * std::abs(alpha))
      alphas[delta.module] = delta.alpha();
  }
  const Json config = {{"peft_type", "LORA"},
                       {"task_type", "CAUSAL_LM"},
                       {"base_model_name_or_path", base.name},
                       {"inference_mode", true},
                       {"r", rank},
                       {"lora_alpha", alpha},
                       {"lora_dropout", 0.0},
                       {"use_rslora", false},
                       {"use_dora", false},
                       {"bias", "none"},
                       {"fan_in_fan_out", architecture->checkpoint_names().turned},
                       {"modules_to_save", nullptr},
                       {"rank_pattern", ranks},
                       {"alpha_pattern", alphas},
                       {"target_modules", targets}};
  PLINTH_TRY(make_directories(folder));
  Lineage metadata = lineage;
  metadata["format"] = "pt";
  PLINTH_TRY(write_safetensors(folder / kWeightsFile, tensors, metadata));
  const auto text = config.dump(2, ' ', false, Json::error_handler_t::replace);
  return write_file_atomic(folder / kConfigFile, text + "\n");
}

}  // namespace plinth::model
