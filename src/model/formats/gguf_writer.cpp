// Model to GGUF v3. Tensors are converted some rows at a time while they are written, so the memory
// needed is a few MiB, whatever the size of the model.
#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "core/threads.h"
#include "model/formats/atomic_write.h"
#include "model/formats/gguf_format.h"
#include "model/formats/rope_rows.h"
#include "model/model.h"
#include "model/tensor_names.h"

namespace plinth::model {
namespace {

using tensor::DType;
using tensor::Weight;

// A tensor of the file to be.
struct Planned {
  std::string name;
  Weight source;
  DType type = DType::kF32;
  DType wanted = DType::kF32;   // differs where the rows are no whole blocks of it
  bool vector = false;          // one dimension: a norm or a bias
  int64_t interleave_head = 0;  // head_dim when rows change from halves to interleaved, else 0

  uint64_t bytes() const {
    return static_cast<uint64_t>(source.rows) * tensor::row_bytes(type, source.cols);
  }
};

uint64_t padded(uint64_t bytes) {
  return (bytes + kGgufAlignment - 1) / kGgufAlignment * kGgufAlignment;
}

// Builds the header: key-value pairs behind a count that is known at the end.
class Metadata {
 public:
  void text(std::string_view key, std::string_view value) {
    begin(key, GgufType::kString);
    put_text(value);
  }

  void u32(std::string_view key, int64_t value) {
    begin(key, GgufType::kU32);
    put(static_cast<uint32_t>(value));
  }

  void f32(std::string_view key, float value) {
    begin(key, GgufType::kF32);
    put(value);
  }

  void flag(std::string_view key, bool value) {
    begin(key, GgufType::kBool);
    put(static_cast<uint8_t>(value));
  }

  void texts(std::string_view key, const std::vector<std::string>& values) {
    begin_array(key, GgufType::kString, values.size());
    for (const auto& value : values) put_text(value);
  }

  void i32s(std::string_view key, const std::vector<int32_t>& values) {
    begin_array(key, GgufType::kI32, values.size());
    for (const int32_t value : values) put(value);
  }

  // The bytes before the tensor data, padding included.
  std::string header(const std::vector<Planned>& tensors) const {
    Metadata out;
    out.put(kGgufMagic);
    out.put(kGgufVersion);
    out.put(static_cast<uint64_t>(tensors.size()));
    out.put(count_);
    out.bytes_ += bytes_;
    uint64_t offset = 0;
    for (const auto& planned : tensors) {
      out.put_text(planned.name);
      out.put(uint32_t{planned.vector ? 1u : 2u});
      out.put(static_cast<uint64_t>(planned.source.cols));
      if (!planned.vector) out.put(static_cast<uint64_t>(planned.source.rows));
      out.put(gguf_tensor_type(planned.type).id);
      out.put(offset);
      offset += padded(planned.bytes());
    }
    out.bytes_.resize(padded(out.bytes_.size()));
    return out.bytes_;
  }

 private:
  template <typename T>
  void put(T value) {
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    bytes_.append(raw, sizeof value);
  }

  void put_text(std::string_view text) {
    put(static_cast<uint64_t>(text.size()));
    bytes_ += text;
  }

  void begin(std::string_view key, GgufType type) {
    put_text(key);
    put(static_cast<uint32_t>(type));
    ++count_;
  }

  void begin_array(std::string_view key, GgufType type, size_t size) {
    begin(key, GgufType::kArray);
    put(static_cast<uint32_t>(type));
    put(static_cast<uint64_t>(size));
  }

  std::string bytes_;
  uint64_t count_ = 0;
};

void put_config(const ModelConfig& config, DType type, Metadata& out) {
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
  out.f32(key("attention.layer_norm_rms_epsilon"), config.rms_eps);
  out.f32(key("rope.freq_base"), config.rope_theta);
  out.u32(key("rope.dimension_count"), config.head_dim);
  out.u32(key("vocab_size"), config.vocabulary);
}

void put_tokenizer(const text::BpeSpec& spec, int64_t vocabulary, Metadata& out) {
  auto tokens = spec.tokens;
  // Readers take the vocabulary from this list and expect a row of the embedding for each.
  tokens.resize(static_cast<size_t>(vocabulary));
  std::vector<int32_t> types(tokens.size(), static_cast<int32_t>(GgufTokenType::kNormal));
  for (const int32_t id : spec.special)
    types[static_cast<size_t>(id)] = static_cast<int32_t>(GgufTokenType::kControl);
  for (const int32_t id : spec.user_defined)
    types[static_cast<size_t>(id)] = static_cast<int32_t>(GgufTokenType::kUserDefined);
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (!tokens[id].empty()) continue;
    tokens[id] = fmt::format("[PAD{}]", id);
    types[id] = static_cast<int32_t>(GgufTokenType::kUnused);
  }
  out.text("tokenizer.ggml.model", "gpt2");
  out.text("tokenizer.ggml.pre", spec.pre);
  out.texts("tokenizer.ggml.tokens", tokens);
  out.i32s("tokenizer.ggml.token_type", types);
  out.texts("tokenizer.ggml.merges", spec.merges);
  if (spec.bos >= 0) out.u32("tokenizer.ggml.bos_token_id", spec.bos);
  if (spec.eos >= 0) out.u32("tokenizer.ggml.eos_token_id", spec.eos);
  if (spec.pad >= 0) out.u32("tokenizer.ggml.padding_token_id", spec.pad);
  out.flag(kGgufNfcKey, spec.nfc);
  // Our encode() adds nothing; templates write the token themselves.
  out.flag("tokenizer.ggml.add_bos_token", false);
}

// Keys that say what the tensors mean come from the model alone.
bool reserved(std::string_view key, const std::string& architecture) {
  static constexpr std::string_view general[] = {"general.architecture", "general.name",
                                                 "general.alignment", "general.file_type",
                                                 "general.quantization_version"};
  return key.starts_with("tokenizer.") || key == kGgufNfcKey ||
         key.starts_with(architecture + ".") ||
         std::find(std::begin(general), std::end(general), key) != std::end(general);
}

Status put_extra(const Json& metadata, const std::string& architecture, Metadata& out) {
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

std::vector<Planned> plan(const Model& model, DType type) {
  const auto& config = model.config();
  const auto& weights = model.weights();
  const auto& names = gguf_names();
  std::vector<Planned> tensors;
  const auto matrix = [&](std::string name, const Weight& weight, int64_t interleave_head) {
    const bool head = name == names.head || (config.tied && name == names.embedding);
    const DType wanted = head ? type_of_head(type) : type;
    tensors.push_back({std::move(name), weight, type_of_matrix(wanted, weight.cols), wanted, false,
                       interleave_head});
  };
  const auto floats = [&](std::string name, const float* data, int64_t n) {
    tensors.push_back(
        {std::move(name), {data, DType::kF32, 1, n}, DType::kF32, DType::kF32, true, 0});
  };

  matrix(std::string(names.embedding), weights.embedding, 0);
  floats(std::string(names.final_norm), weights.final_norm, config.width);
  if (!config.tied) matrix(std::string(names.head), weights.head, 0);
  const bool interleave =
      config.architecture == "llama" && config.rope_style == tensor::RopeStyle::kHalves;
  for (int64_t number = 0; number < config.layers; ++number) {
    const auto& layer = weights.layers[static_cast<size_t>(number)];
    floats(names.weight(number, names.attention_norm), layer.attention_norm, config.width);
    for (size_t i = 0; i < kLinears; ++i) {
      const auto which = static_cast<Linear>(i);
      const bool rotated = which == Linear::kQ || which == Linear::kK;
      matrix(names.weight(number, names.linear[i]), layer.linear[i],
             interleave && rotated ? config.head_dim : 0);
      if (config.qkv_bias && i < layer.qkv_bias.size())
        floats(names.bias(number, names.linear[i]), layer.qkv_bias[i], config.outputs(which));
    }
    if (config.qk_norm) {
      floats(names.weight(number, names.q_norm), layer.q_norm, config.head_dim);
      floats(names.weight(number, names.k_norm), layer.k_norm, config.head_dim);
    }
    floats(names.weight(number, names.ffn_norm), layer.ffn_norm, config.width);
  }
  return tensors;
}

std::string_view row_of(const Weight& weight, int64_t row) {
  const size_t bytes = tensor::row_bytes(weight.type, weight.cols);
  return {static_cast<const char*>(weight.data) + static_cast<size_t>(row) * bytes, bytes};
}

// Rows [first, first + n) as they will be in the file.
void convert_rows(const Planned& planned, int64_t first, int64_t n, std::string& out) {
  const auto& source = planned.source;
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

Status write_tensor(const Planned& planned, OutputFile& file) {
  constexpr int64_t kElements = int64_t{1} << 20;  // at a time
  const int64_t rows = std::max<int64_t>(1, kElements / std::max<int64_t>(planned.source.cols, 1));
  std::string converted;
  for (int64_t row = 0; row < planned.source.rows; row += rows) {
    convert_rows(planned, row, std::min(rows, planned.source.rows - row), converted);
    PLINTH_TRY(file.write(converted));
  }
  return file.write(std::string(padded(planned.bytes()) - planned.bytes(), '\0'));
}

WriteReport report_of(const std::vector<Planned>& tensors) {
  WriteReport report;
  for (const auto& planned : tensors) {
    if (!planned.vector) report.bytes[planned.type] += static_cast<int64_t>(planned.bytes());
    if (planned.type != planned.wanted)
      report.notes.push_back(
          fmt::format("{}: rows of {} are no multiple of {}: {} instead of {}", planned.name,
                      planned.source.cols, tensor::traits(planned.wanted).block,
                      tensor::dtype_name(planned.type), tensor::dtype_name(planned.wanted)));
  }
  return report;
}

}  // namespace

Status write_gguf(const Path& path, const Model& model, DType type, const Json& metadata,
                  WriteReport* report) {
  PLINTH_TRY(model.config().check());
  if (model.tokenizer().size() > model.config().vocabulary)
    return invalid("{}: {} tokens for a vocabulary of {}", path.string(), model.tokenizer().size(),
                   model.config().vocabulary);
  Metadata keys;
  put_config(model.config(), type, keys);
  put_tokenizer(model.tokenizer().spec(), model.config().vocabulary, keys);
  if (!model.chat_template().empty()) keys.text("tokenizer.chat_template", model.chat_template());
  PLINTH_TRY(put_extra(metadata, model.config().architecture, keys));
  const auto tensors = plan(model, type);
  if (report != nullptr) *report = report_of(tensors);
  return write_atomically(path, [&](OutputFile& file) -> Status {
    PLINTH_TRY(file.write(keys.header(tensors)));
    for (const auto& planned : tensors) PLINTH_TRY(write_tensor(planned, file));
    return {};
  });
}

}  // namespace plinth::model
