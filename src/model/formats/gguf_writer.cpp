// Model to GGUF v3. Tensors are converted some rows at a time while they are written, so the memory
// needed is a few MiB, whatever the size of the model.
#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/interrupt.h"
#include "core/threads.h"
#include "model/architectures/architecture.h"
#include "model/formats/atomic_write.h"
#include "model/formats/gguf_format.h"
#include "model/formats/gguf_header.h"
#include "model/formats/gguf_keys.h"
#include "model/formats/rope_rows.h"
#include "model/formats/tokenizer_files.h"
#include "model/model.h"
#include "model/tensor_names.h"

namespace plinth::model {
namespace {

using tensor::DType;
using tensor::Weight;

// A tensor of the file to be.
struct Planned {
  std::string name;
  std::vector<Weight> sources;  // one under another; a fused tensor has several
  DType type = DType::kF32;
  DType wanted = DType::kF32;   // differs where the rows are no whole blocks of it
  bool vector = false;          // one dimension: a norm or a bias
  int64_t interleave_head = 0;  // head_dim when rows change from halves to interleaved, else 0

  uint64_t bytes() const {
    uint64_t total = 0;
    for (const auto& source : sources)
      total += static_cast<uint64_t>(source.rows) * tensor::row_bytes(type, source.cols);
    return total;
  }

  // Extents as GGUF writes them, the contiguous one first.
  std::vector<uint64_t> extents() const {
    uint64_t rows = 0;
    uint64_t values = 0;
    for (const auto& source : sources) {
      rows += static_cast<uint64_t>(source.rows);
      values += static_cast<uint64_t>(source.rows * source.cols);
    }
    if (vector) return {values};
    return {static_cast<uint64_t>(sources.front().cols), rows};
  }
};

void put_config(const ModelConfig& config, DType type, GgufHeader& out) {
  const auto key = [&config](std::string_view part) {
    return config.architecture + "." + std::string(part);
  };
  out.text("general.architecture", config.architecture);
  out.text("general.name", config.name);
  out.u32("general.file_type", gguf_tensor_type(type).file_type);
  out.u32("general.quantization_version", 2);
  out.u32(key("block_count"), config.layers);
  out.u32(key("context_length"), config.context);
  out.u32(key("embedding_length"), config.width);
  out.u32(key("feed_forward_length"), config.ffn);
  out.u32(key("attention.head_count"), config.heads);
  out.u32(key("attention.head_count_kv"), config.kv_heads);
  out.u32(key("attention.key_length"), config.head_dim);
  out.u32(key("attention.value_length"), config.head_dim);
  out.f32(key(norm_eps_key(config.norm)), config.norm_eps);
  out.u32(key("vocab_size"), config.vocabulary);
  if (config.positions != PositionKind::kRotary) return;
  out.f32(key("rope.freq_base"), config.rope_theta);
  out.u32(key("rope.dimension_count"), config.head_dim);
  const auto& scaling = config.rope_scaling;
  if (scaling.kind == RopeScalingKind::kNone || scaling.kind == RopeScalingKind::kLlama3) return;
  const bool yarn = scaling.kind == RopeScalingKind::kYarn;
  out.text(key("rope.scaling.type"), yarn ? "yarn" : "linear");
  out.f32(key("rope.scaling.factor"), static_cast<float>(scaling.factor));
  if (!yarn) return;
  out.u32(key("rope.scaling.original_context_length"), scaling.original_context);
  out.f32(key("rope.scaling.yarn_beta_fast"), static_cast<float>(scaling.beta_fast));
  out.f32(key("rope.scaling.yarn_beta_slow"), static_cast<float>(scaling.beta_slow));
  out.f32(key("rope.scaling.attn_factor"),
          static_cast<float>(scaling.magnitude / yarn_magnitude(scaling.factor)));
}

// Keys that say what the tensors mean come from the model alone.
bool reserved(std::string_view key, const std::string& architecture) {
  static constexpr std::string_view general[] = {"general.architecture", "general.name",
                                                 "general.alignment", "general.file_type",
                                                 "general.quantization_version"};
  return key.starts_with("tokenizer.") || key == kGgufNfcKey || key == kGgufTokenizerKey ||
         key.starts_with(architecture + ".") ||
         std::find(std::begin(general), std::end(general), key) != std::end(general);
}

Status put_extra(const Json& metadata, const std::string& architecture, GgufHeader& out) {
  if (metadata.is_null()) return {};
  if (!metadata.is_object())
    return invalid("GGUF metadata is {}, not an object", metadata.type_name());
  for (const auto& [key, value] : metadata.items()) {
    if (!value.is_string())
      return invalid("GGUF metadata {} is {}, not a string", key, value.type_name());
    if (reserved(key, architecture))
      return invalid("GGUF metadata {} is written from the model", key);
    out.text(key, value.get_ref<const std::string&>());
  }
  return {};
}

// What a K type becomes in rows that are no multiple of 256: the next better one of blocks of 32.
DType with_smaller_blocks(DType type) {
  switch (type) {
    case DType::kQ4_K:
      return DType::kQ5_0;
    case DType::kQ5_K:
      return DType::kQ5_1;
    case DType::kQ6_K:
      return DType::kQ8_0;
    default:
      return DType::kF16;
  }
}

DType type_of_matrix(DType wanted, int64_t cols) {
  while (cols % tensor::traits(wanted).block != 0) wanted = with_smaller_blocks(wanted);
  return wanted;
}

// The head decides between words and is read once per token: below six bits it keeps six.
DType type_of_head(DType wanted) {
  return wanted != DType::kQ8_0 && tensor::is_quantised(wanted) ? DType::kQ6_K : wanted;
}

// What the metadata cannot say about a config: llama3's frequencies as divisors; empty: nothing.
std::vector<float> rope_divisors(const ModelConfig& config) {
  if (config.rope_scaling.kind != RopeScalingKind::kLlama3) return config.rope_scaling.divisors;
  const double theta = config.rope_theta;
  auto divisors = rope_frequencies(config.head_dim, theta, {});
  const auto scaled = rope_frequencies(config.head_dim, theta, config.rope_scaling);
  for (size_t i = 0; i < divisors.size(); ++i) divisors[i] /= scaled[i];
  return divisors;
}

Status refuse_unwritable(const ModelConfig& config, const Architecture& architecture) {
  if (config.rope_scaling.kind == RopeScalingKind::kYarn && !config.rope_scaling.truncate)
    return make_error(Code::kUnimplemented, "GGUF has no key for YaRN with truncate = false");
  ModelConfig read = config;
  read.unrotated = every_nth_layer(architecture.gguf_unrotated_interval, config.layers);
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    if (read.rotates(layer) != config.rotates(layer))
      return make_error(Code::kUnimplemented, "GGUF files of {} cannot say that layer {} {} RoPE",
                        config.architecture, layer, config.rotates(layer) ? "has" : "has no");
  }
  return {};
}

// All tensors of a model, in the order of the file.
class Plan {
 public:
  Plan(const Model& model, const Architecture& architecture, DType type)
      : config_(model.config()),
        weights_(model.weights()),
        names_(architecture.gguf_names()),
        interleave_(config_.rope_style != architecture.gguf_rope),
        type_(type) {}

  std::vector<Planned> tensors(std::span<const float> divisors) && {
    matrix(names_.embedding, {weights_.embedding}, config_.tied ? type_of_head(type_) : type_);
    if (weights_.position_table != nullptr)
      tensors_.push_back({std::string(names_.position_table),
                          {{weights_.position_table, DType::kF32, config_.context, config_.width}},
                          DType::kF32,
                          DType::kF32});
    floats(names_.final_norm, {vector_of(weights_.final_norm, config_.width)});
    floats(names_.final_norm_bias, {vector_of(weights_.final_norm_bias, config_.width)});
    if (!config_.tied) matrix(names_.head, {weights_.head}, type_of_head(type_));
    if (!divisors.empty())
      floats(kGgufRopeDivisors, {vector_of(divisors.data(), std::ssize(divisors))});
    for (int64_t number = 0; number < config_.layers; ++number) add_layer(number);
    return std::move(tensors_);
  }

 private:
  static Weight vector_of(const float* data, int64_t n) { return {data, DType::kF32, 1, n}; }

  void matrix(std::string_view name, std::vector<Weight> sources, DType wanted) {
    const DType type = type_of_matrix(wanted, sources.front().cols);
    tensors_.push_back({std::string(name), std::move(sources), type, wanted});
  }

  // Nothing when there is no data.
  void floats(std::string_view name, std::vector<Weight> sources) {
    if (sources.front().data == nullptr) return;
    tensors_.push_back({std::string(name), std::move(sources), DType::kF32, DType::kF32, true});
  }

  void add_layer(int64_t number) {
    const auto& layer = weights_.layers[static_cast<size_t>(number)];
    const auto norm = [&](std::string_view part, const float* gain, const float* bias, int64_t n) {
      floats(names_.weight(number, part), {vector_of(gain, n)});
      floats(names_.bias(number, part), {vector_of(bias, n)});
    };
    norm(names_.attention_norm, layer.attention_norm, layer.attention_norm_bias, config_.width);
    const size_t fused = names_.fused_qkv.empty() ? 1 : 3;
    add_linears(number, layer, Linear::kQ, fused);
    for (size_t i = fused; i < kLinears; ++i) add_linears(number, layer, static_cast<Linear>(i), 1);
    norm(names_.q_norm, layer.q_norm, nullptr, config_.head_dim);
    norm(names_.k_norm, layer.k_norm, nullptr, config_.head_dim);
    norm(names_.ffn_norm, layer.ffn_norm, layer.ffn_norm_bias, config_.width);
  }

  // `n` linear layers from `first` on as one tensor, and their biases.
  void add_linears(int64_t number, const LayerWeights& layer, Linear first, size_t n) {
    if (!config_.has(first)) return;
    std::vector<Weight> weights;
    std::vector<Weight> biases;
    for (size_t i = static_cast<size_t>(first); i < static_cast<size_t>(first) + n; ++i) {
      weights.push_back(layer.linear[i]);
      biases.push_back(vector_of(layer.bias[i], config_.outputs(static_cast<Linear>(i))));
    }
    const bool rotated = first == Linear::kQ || first == Linear::kK;
    const int64_t head = interleave_ && rotated ? config_.head_dim : 0;
    const auto part = names_.part(first);
    matrix(names_.weight(number, part), std::move(weights), type_);
    tensors_.back().interleave_head = head;
    const size_t before = tensors_.size();
    floats(names_.bias(number, part), std::move(biases));
    if (tensors_.size() > before) tensors_.back().interleave_head = head;
  }

  const ModelConfig& config_;
  const Weights& weights_;
  const TensorNames& names_;
  bool interleave_;
  DType type_;
  std::vector<Planned> tensors_;
};

std::string_view row_of(const Weight& weight, int64_t row) {
  const size_t bytes = tensor::row_bytes(weight.type, weight.cols);
  return {static_cast<const char*>(weight.data) + static_cast<size_t>(row) * bytes, bytes};
}

// Rows [first, first + n) of a source as they will be in the file.
void convert_rows(const Planned& planned, const Weight& source, int64_t first, int64_t n,
                  std::string& out) {
  const size_t bytes = tensor::row_bytes(planned.type, source.cols);
  out.resize(static_cast<size_t>(n) * bytes);
  compute_pool().parallel_for(n, 1, [&](int64_t begin, int64_t end, int) {
    std::vector<float> floats(static_cast<size_t>(source.cols));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = first + i;
      const int64_t from =
          planned.interleave_head > 0 ? halves_row(row, planned.interleave_head) : row;
      const auto stored = row_of(source, from);
      char* to = out.data() + static_cast<size_t>(i) * bytes;
      if (source.type == planned.type) {
        std::copy(stored.begin(), stored.end(), to);
        continue;
      }
      tensor::to_f32(stored.data(), source.type, source.cols, floats.data());
      tensor::from_f32(floats.data(), source.cols, planned.type, to);
    }
  });
}

// A vector whose values change places like the rows of its matrix do.
std::vector<float> interleaved_values(const Weight& source, int64_t head_dim) {
  std::vector<float> values(static_cast<size_t>(source.cols));
  for (int64_t i = 0; i < source.cols; ++i)
    values[static_cast<size_t>(i)] =
        static_cast<const float*>(source.data)[halves_row(i, head_dim)];
  return values;
}

Status write_rows(const Planned& planned, const Weight& source, OutputFile& file) {
  constexpr int64_t kElements = int64_t{1} << 20;  // at a time
  const int64_t rows = std::max<int64_t>(1, kElements / std::max<int64_t>(source.cols, 1));
  std::string converted;
  for (int64_t row = 0; row < source.rows; row += rows) {
    PLINTH_TRY(check_interrupted());
    convert_rows(planned, source, row, std::min(rows, source.rows - row), converted);
    PLINTH_TRY(file.write(converted));
  }
  return {};
}

Status write_tensor(const Planned& planned, OutputFile& file) {
  for (const auto& source : planned.sources) {
    if (planned.vector && planned.interleave_head > 0) {
      const auto values = interleaved_values(source, planned.interleave_head);
      const auto bytes = std::as_bytes(std::span(values));
      PLINTH_TRY(file.write({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
    } else {
      PLINTH_TRY(write_rows(planned, source, file));
    }
  }
  return file.write(std::string(gguf_padding(planned.bytes()), '\0'));
}

WriteReport report_of(const std::vector<Planned>& tensors) {
  WriteReport report;
  for (const auto& planned : tensors) {
    if (!planned.vector) report.bytes[planned.type] += static_cast<int64_t>(planned.bytes());
    if (planned.type != planned.wanted)
      report.notes.push_back(
          fmt::format("{}: rows of {} are no multiple of {}: {} instead of {}", planned.name,
                      planned.sources.front().cols, tensor::traits(planned.wanted).block,
                      tensor::dtype_name(planned.type), tensor::dtype_name(planned.wanted)));
  }
  return report;
}

}  // namespace

Status write_gguf(const Path& path, const Model& model, DType type, const Json& metadata,
                  WriteReport* report) {
  PLINTH_TRY(model.config().check());
  PLINTH_TRY(const auto* architecture, architecture_of_name(model.config().architecture));
  PLINTH_TRY(refuse_unwritable(model.config(), *architecture));
  if (model.tokenizer().size() > model.config().vocabulary)
    return invalid("{}: {} tokens for a vocabulary of {}", path.string(), model.tokenizer().size(),
                   model.config().vocabulary);
  GgufHeader keys;
  put_config(model.config(), type, keys);
  put_gguf_tokenizer(model.tokenizer().spec(), model.config().vocabulary, keys);
  if (!model.chat_template().empty()) keys.text("tokenizer.chat_template", model.chat_template());
  PLINTH_TRY(put_extra(metadata, model.config().architecture, keys));
  const auto divisors = rope_divisors(model.config());
  const auto tensors = Plan(model, *architecture, type).tensors(divisors);
  if (report != nullptr) *report = report_of(tensors);
  std::vector<GgufEntry> entries;
  for (const auto& planned : tensors)
    entries.push_back({planned.name, planned.extents(), planned.type, planned.bytes()});
  return write_atomically(path, [&](OutputFile& file) -> Status {
    PLINTH_TRY(file.write(keys.bytes(entries)));
    for (const auto& planned : tensors) PLINTH_TRY(write_tensor(planned, file));
    return {};
  });
}

}  // namespace plinth::model
