// Adapters as PEFT folders: adapter_config.json and adapter_model.safetensors.
// Source: LoraConfig and get_pattern_key of huggingface/peft 0.21.
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "core/hash.h"
#include "core/json.h"
#include "model/architectures/architecture.h"
#include "model/formats/rope_rows.h"
#include "model/formats/safetensors.h"
#include "model/loader.h"

namespace plinth::model {
namespace {

constexpr int64_t kRankMax = 1024;
constexpr uint64_t kConfigBytesMax = uint64_t{1} << 20;
constexpr std::string_view kConfigFile = "adapter_config.json";
constexpr std::string_view kWeightsFile = "adapter_model.safetensors";
constexpr std::string_view kPrefix = "base_model.model.";

std::string tensor_name(std::string_view module, char matrix) {
  return fmt::format("{}{}.lora_{}.weight", kPrefix, module, matrix);
}

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
  for (const char* key :
       {"use_dora", "modules_to_save", "lora_bias", "use_qalora", "layer_replication",
        "trainable_token_indices", "target_parameters", "alora_invocation_tokens", "use_bdlora",
        "arrow_config", "kasa_config", "velora_config", "monteclora_config"}) {
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

// b with its rows in the order of an interleaved base; as F32, since the order is not the file's.
tensor::Weight interleaved(const tensor::Weight& b, int64_t head_dim, WeightStorage& storage) {
  auto& copy = storage.copies.emplace_back(static_cast<size_t>(b.rows * b.cols));
  const size_t bytes = tensor::row_bytes(b.type, b.cols);
  for (int64_t row = 0; row < b.rows; ++row) {
    const auto* from = static_cast<const std::byte*>(b.data) +
                       static_cast<size_t>(halves_row(row, head_dim)) * bytes;
    tensor::to_f32(from, b.type, b.cols, copy.data() + row * b.cols);
  }
  return {copy.data(), tensor::DType::kF32, b.rows, b.cols};
}

// What reading one layer needs.
struct Source {
  const Config& config;
  const ModelConfig& base;
  const Architecture& architecture;
  const std::map<std::string, int64_t, std::less<>>& ranks;  // of the A matrices in the file
  TensorPicker& picker;
  WeightStorage& storage;
};

// "model.layers.3.self_attn.q_proj": what PEFT calls the module that holds a linear layer.
std::string module_name(const Architecture& architecture, int64_t layer, Linear which) {
  const auto& names = architecture.checkpoint_names();
  return std::string(architecture.checkpoint_prefix) + names.stem(layer, names.part(which));
}

// B of one linear layer: its rows of the module's B, which has those of q, k and v when fused.
Result<tensor::Weight> read_b(const Source& source, std::string_view name, Linear which,
                              int64_t rank) {
  const bool fused = !source.architecture.checkpoint_names().fused_qkv.empty();
  if (!fused || which > Linear::kV)
    return source.picker.matrix(name, source.base.outputs(which), rank);
  int64_t first = 0;
  int64_t rows = 0;
  for (const Linear part : {Linear::kQ, Linear::kK, Linear::kV}) {
    if (part == which) first = rows;
    rows += source.base.outputs(part);
  }
  PLINTH_TRY(auto b, source.picker.matrix(name, rows, rank));
  b.data = static_cast<const std::byte*>(b.data) +
           static_cast<size_t>(first) * tensor::row_bytes(b.type, rank);
  b.rows = source.base.outputs(which);
  return b;
}

Result<LowRank> read_low_rank(const Source& source, int64_t layer, Linear which) {
  if (!source.base.has(which)) return LowRank{};
  const auto module = module_name(source.architecture, layer, which);
  const auto a_name = tensor_name(module, 'A');
  const auto b_name = tensor_name(module, 'B');
  const auto found = source.ranks.find(a_name);
  if (found == source.ranks.end()) return LowRank{};  // a B without its A stays unused: refused
  const int64_t rank = found->second;
  if (rank < 1 || rank > kRankMax)
    return invalid("{}: rank {} is outside 1..{}", module, rank, kRankMax);
  PLINTH_TRY(const double stated, source.config.ranks.value_for(module, source.config.rank));
  if (stated != static_cast<double>(rank))
    return invalid("{}: rank {} in the weights, {} in {}", module, rank, stated, kConfigFile);
  LowRank delta;
  delta.rank = rank;
  PLINTH_TRY(delta.scale, source.config.scale_for(module, rank));
  if (!std::isfinite(delta.scale))
    return invalid("{}: scale {} is not finite", module, delta.scale);
  PLINTH_TRY(delta.a, source.picker.matrix(a_name, rank, source.base.inputs(which)));
  PLINTH_TRY(delta.b, read_b(source, b_name, which, rank));
  const bool rotated = which == Linear::kQ || which == Linear::kK;
  const int64_t head = source.base.interleaved_head_dim();
  if (rotated && head > 0) delta.b = interleaved(delta.b, head, source.storage);
  return delta;
}

Result<std::vector<std::array<LowRank, kLinears>>> read_layers(const Source& source) {
  std::vector<std::array<LowRank, kLinears>> layers(static_cast<size_t>(source.base.layers));
  for (size_t layer = 0; layer < layers.size(); ++layer) {
    for (size_t i = 0; i < kLinears; ++i) {
      PLINTH_TRY(layers[layer][i],
                 read_low_rank(source, static_cast<int64_t>(layer), static_cast<Linear>(i)));
    }
  }
  PLINTH_TRY(source.picker.finish());
  return layers;
}

// A delta as F32 tensors in Hugging Face row order.
struct Exported {
  std::vector<StoredTensor> tensors;
  std::deque<std::vector<float>> floats;

  void add(std::string name, const tensor::Weight& weight, int64_t deinterleave_head) {
    auto& copy = floats.emplace_back(static_cast<size_t>(weight.rows * weight.cols));
    const size_t bytes = tensor::row_bytes(weight.type, weight.cols);
    for (int64_t row = 0; row < weight.rows; ++row) {
      const int64_t from = deinterleave_head > 0 ? interleaved_row(row, deinterleave_head) : row;
      tensor::to_f32(static_cast<const std::byte*>(weight.data) + static_cast<size_t>(from) * bytes,
                     weight.type, weight.cols, copy.data() + row * weight.cols);
    }
    tensors.push_back({std::move(name),
                       tensor::DType::kF32,
                       {weight.rows, weight.cols},
                       std::as_bytes(std::span(copy))});
  }
};

// The alpha that gives this scale; whole numbers survive the rounding of the division.
double alpha_of(const LowRank& delta, bool rslora) {
  const auto rank = static_cast<double>(delta.rank);
  const double alpha = static_cast<double>(delta.scale) * (rslora ? std::sqrt(rank) : rank);
  const double whole = std::round(alpha);
  return std::abs(alpha - whole) < 1e-5 * whole ? whole : alpha;
}

}  // namespace

Result<std::shared_ptr<const Adapter>> Adapter::open(const Path& folder, const ModelConfig& base) {
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
  std::map<std::string, int64_t, std::less<>> ranks;
  for (const auto& tensor : tensors) {
    if (tensor.shape.size() == 2) ranks[tensor.name] = tensor.shape.front();
  }
  PLINTH_TRY(auto picker, TensorPicker::create(path.string(), std::move(tensors), *storage));
  PLINTH_TRY(adapter->layers,
             in_file("adapter " + folder.string(),
                     read_layers({config, base, *architecture, ranks, picker, *storage})));
  adapter->storage = std::move(storage);
  return std::shared_ptr<const Adapter>(std::move(adapter));
}

Status write_peft(const Path& folder, const Adapter& adapter, const PeftExport& options) {
  if (options.rank < 1 || options.rank > kRankMax)
    return invalid("adapter {}: rank {} is outside 1..{}", adapter.name, options.rank, kRankMax);
  Exported exported;
  Json ranks = Json::object();
  Json alphas = Json::object();
  std::array<bool, kLinears> targeted = {};
  for (size_t layer = 0; layer < adapter.layers.size(); ++layer) {
    for (size_t i = 0; i < kLinears; ++i) {
      const auto& delta = adapter.layers[layer][i];
      if (delta.empty()) continue;
      const auto number = static_cast<int64_t>(layer);
      const auto which = static_cast<Linear>(i);
      const bool rotated = which == Linear::kQ || which == Linear::kK;
      targeted[i] = true;
      const auto module = module_name(llama(), number, which);
      exported.add(tensor_name(module, 'A'), delta.a, 0);
      exported.add(tensor_name(module, 'B'), delta.b, rotated ? options.interleaved_head_dim : 0);
      if (delta.rank != options.rank) ranks[module] = delta.rank;
      const double alpha = alpha_of(delta, options.rslora);
      if (std::abs(alpha - options.alpha) > 1e-5 * std::abs(options.alpha)) alphas[module] = alpha;
    }
  }
  if (exported.tensors.empty()) return invalid("adapter {} has no deltas", adapter.name);
  Json targets = Json::array();
  for (size_t i = 0; i < kLinears; ++i) {
    if (targeted[i]) targets.push_back(std::string(linear_name(static_cast<Linear>(i))));
  }
  const Json config = {{"peft_type", "LORA"},
                       {"task_type", "CAUSAL_LM"},
                       {"base_model_name_or_path", options.base_name},
                       {"inference_mode", true},
                       {"r", options.rank},
                       {"lora_alpha", options.alpha},
                       {"lora_dropout", 0.0},
                       {"use_rslora", options.rslora},
                       {"use_dora", false},
                       {"bias", "none"},
                       {"fan_in_fan_out", false},
                       {"modules_to_save", nullptr},
                       {"rank_pattern", ranks},
                       {"alpha_pattern", alphas},
                       {"target_modules", targets}};
  PLINTH_TRY(make_directories(folder));
  PLINTH_TRY(write_safetensors(folder / kWeightsFile, exported.tensors, {{"format", "pt"}}));
  const auto text = config.dump(2, ' ', false, Json::error_handler_t::replace);
  return write_file_atomic(folder / kConfigFile, text + "\n");
}

}  // namespace plinth::model
