#include "model/formats/deltas.h"

#include <cmath>
#include <map>
#include <utility>

#include "model/formats/rope_rows.h"

namespace plinth::model {
namespace {

using tensor::DType;
using tensor::Weight;

constexpr std::string_view kWeight = ".weight";
constexpr std::string_view kCopy = ".base_layer.weight";

std::string_view without_weight(std::string_view name) {
  return name.substr(0, name.size() - kWeight.size());
}

bool is_rotated(Linear which) {
  return which == Linear::kQ || which == Linear::kK;
}

// Does a tensor belong to the module that holds `weight` ("lm_head.weight")?
bool belongs_to(std::string_view tensor, std::string_view weight) {
  if (weight.empty()) return false;
  const auto module = without_weight(weight);
  const size_t at = tensor.find(module);
  if (at == tensor.npos) return false;
  const size_t end = at + module.size();
  return (at == 0 || tensor[at - 1] == '.') && (end < tensor.size() && tensor[end] == '.');
}

// Of each matrix in the file.
using Shapes = std::map<std::string, std::vector<int64_t>, std::less<>>;

// Reads the deltas of one file.
class Reader {
 public:
  Reader(const ModelConfig& base, const DeltaNames& names, const ScaleOf& scale,
         TensorPicker& picker, WeightStorage& storage)
      : base_(base), names_(names), scale_(scale), picker_(picker), storage_(storage) {}

  Result<LowRank> read(const Shapes& shapes, int64_t layer, Linear which) {
    if (!base_.has(which)) return LowRank{};
    const auto module = names_.module(layer, which);
    const auto stem = names_.prefix + module;
    const auto a_name = stem + std::string(names_.a_suffix);
    PLINTH_TRY(auto delta, begin(shapes, module, a_name, /*rank_last=*/false));
    if (delta.empty()) return delta;
    PLINTH_TRY(const auto a, picker_.matrix(a_name, delta.rank, base_.inputs(which)));
    PLINTH_TRY(const auto b, read_b(stem + std::string(names_.b_suffix), which, delta.rank));
    delta.a = floats_unless_plain(a);
    delta.b = is_rotated(which) && names_.rope != base_.rope_style ? in_base_order(b)
                                                                   : floats_unless_plain(b);
    return delta;
  }

  Result<LowRank> read_embedding(const Shapes& shapes) {
    const auto stem = names_.prefix + names_.embedding();
    const auto a_name = stem + std::string(names_.embedding_a_suffix);
    PLINTH_TRY(auto delta, begin(shapes, names_.embedding(), a_name, !names_.embedding_turned));
    if (delta.empty()) return delta;
    if (names_.embedding_turned) {
      PLINTH_TRY(const auto a, picker_.matrix(a_name, delta.rank, base_.vocabulary));
      delta.a = turned(a);
    } else {
      PLINTH_TRY(const auto a, picker_.matrix(a_name, base_.vocabulary, delta.rank));
      delta.a = copied(a, [](int64_t row) { return row; });
    }
    PLINTH_TRY(const auto b, picker_.matrix(stem + std::string(names_.embedding_b_suffix),
                                            base_.width, delta.rank));
    delta.b = floats_unless_plain(b);
    return delta;
  }

  Result<LowRank> read_head(const Shapes& shapes) {
    const auto stem = names_.prefix + names_.head();
    const auto a_name = stem + std::string(names_.a_suffix);
    PLINTH_TRY(auto delta, begin(shapes, names_.head(), a_name, /*rank_last=*/false));
    if (delta.empty()) return delta;
    PLINTH_TRY(const auto a, picker_.matrix(a_name, delta.rank, base_.width));
    PLINTH_TRY(const auto b,
               picker_.matrix(stem + std::string(names_.b_suffix), base_.vocabulary, delta.rank));
    delta.a = floats_unless_plain(a);
    delta.b = floats_unless_plain(b);
    return delta;
  }

 private:
  // Rank and scale, of which the rank is an extent of A. An empty one: there is no A; a B without
  // its A stays unused and is refused for that.
  Result<LowRank> begin(const Shapes& shapes, const std::string& module, const std::string& a_name,
                        bool rank_last) {
    const auto found = shapes.find(a_name);
    if (found == shapes.end()) return LowRank{};
    LowRank delta;
    delta.rank = rank_last ? found->second.back() : found->second.front();
    if (delta.rank < 1 || delta.rank > kRankMax)
      return invalid("{}: rank {} is outside 1..{}", module, delta.rank, kRankMax);
    PLINTH_TRY(delta.scale, scale_(module, delta.rank));
    if (!std::isfinite(delta.scale))
      return invalid("{}: scale {} is not finite", module, delta.scale);
    return delta;
  }

  // B of one linear layer: its rows of the module's B, which has those of q, k and v when fused.
  Result<Weight> read_b(std::string_view name, Linear which, int64_t rank) {
    if (names_.names.fused_qkv.empty() || which > Linear::kV)
      return picker_.matrix(name, base_.outputs(which), rank);
    int64_t first = 0;
    int64_t rows = 0;
    for (const Linear part : {Linear::kQ, Linear::kK, Linear::kV}) {
      if (part == which) first = rows;
      rows += base_.outputs(part);
    }
    PLINTH_TRY(auto b, picker_.matrix(name, rows, rank));
    b.data = static_cast<const std::byte*>(b.data) +
             static_cast<size_t>(first) * tensor::row_bytes(b.type, rank);
    b.rows = base_.outputs(which);
    return b;
  }

  // A copy as F32 whose row i is row_of(i) of `from`.
  template <typename RowOf>
  Weight copied(const Weight& from, const RowOf& row_of) {
    auto& copy = storage_.copies.emplace_back(static_cast<size_t>(from.rows * from.cols));
    const size_t bytes = tensor::row_bytes(from.type, from.cols);
    for (int64_t row = 0; row < from.rows; ++row)
      tensor::to_f32(
          static_cast<const std::byte*>(from.data) + static_cast<size_t>(row_of(row)) * bytes,
          from.type, from.cols, copy.data() + row * from.cols);
    return {copy.data(), DType::kF32, from.rows, from.cols};
  }

  // [cols, rows] as F32.
  Weight turned(const Weight& from) {
    const Weight rows = copied(from, [](int64_t row) { return row; });
    const auto* floats = static_cast<const float*>(rows.data);
    auto& copy = storage_.copies.emplace_back(static_cast<size_t>(from.rows * from.cols));
    for (int64_t r = 0; r < from.rows; ++r)
      for (int64_t c = 0; c < from.cols; ++c)
        copy[static_cast<size_t>(c * from.rows + r)] = floats[r * from.cols + c];
    return {copy.data(), DType::kF32, from.cols, from.rows};
  }

  Weight floats_unless_plain(const Weight& from) {
    if (!tensor::is_quantised(from.type)) return from;
    return copied(from, [](int64_t row) { return row; });
  }

  Weight in_base_order(const Weight& from) {
    return copied(from, [this](int64_t row) {
      return rope_row(row, base_.head_dim, names_.rope, base_.rope_style);
    });
  }

  const ModelConfig& base_;
  const DeltaNames& names_;
  const ScaleOf& scale_;
  TensorPicker& picker_;
  WeightStorage& storage_;
};

// Deltas that are known and not computed get a better answer than "no place".
Status refuse_positions(std::string_view file, const std::vector<StoredTensor>& tensors,
                        const TensorNames& names) {
  for (const auto& stored : tensors)
    if (belongs_to(stored.name, names.position_table))
      return make_error(Code::kUnimplemented,
                        "{}: tensor {} changes {}: learned positions can have no deltas", file,
                        stored.name, names.position_table);
  return {};
}

void append_rows(const Weight& weight, std::vector<float>& out) {
  const size_t bytes = tensor::row_bytes(weight.type, weight.cols);
  const size_t before = out.size();
  out.resize(before + static_cast<size_t>(weight.rows * weight.cols));
  for (int64_t row = 0; row < weight.rows; ++row)
    tensor::to_f32(static_cast<const std::byte*>(weight.data) + static_cast<size_t>(row) * bytes,
                   weight.type, weight.cols, out.data() + before + row * weight.cols);
}

// Rows in the order of another RoPE style.
std::vector<float> reordered(const std::vector<float>& rows, int64_t cols, int64_t head_dim,
                             tensor::RopeStyle from, tensor::RopeStyle to) {
  std::vector<float> out(rows.size());
  const auto n = static_cast<int64_t>(rows.size()) / cols;
  for (int64_t row = 0; row < n; ++row)
    std::copy_n(rows.data() + rope_row(row, head_dim, from, to) * cols, cols,
                out.data() + row * cols);
  return out;
}

// PEFT lays the base's own table beside a delta of it. The base has it already.
Status pass_over_copy(const std::string& name, const ModelConfig& base, TensorPicker& picker) {
  if (!picker.has(name)) return {};
  PLINTH_TRY(picker.matrix(name, base.vocabulary, base.width));
  return {};
}

Status check_tables(const Adapter& adapter, const ModelConfig& base) {
  const auto& embedding = adapter.embedding;
  if (!embedding.empty() && (embedding.a.rows != base.vocabulary || embedding.b.rows != base.width))
    return invalid("adapter {}: its embedding is [{}, {}], the base's [{}, {}]", adapter.name,
                   embedding.a.rows, embedding.b.rows, base.vocabulary, base.width);
  const auto& head = adapter.head;
  if (!head.empty() && (head.b.rows != base.vocabulary || head.a.cols != base.width))
    return invalid("adapter {}: its head is [{}, {}], the base's [{}, {}]", adapter.name,
                   head.b.rows, head.a.cols, base.vocabulary, base.width);
  return {};
}

Status check_shape(const Adapter& adapter, const ModelConfig& base) {
  if (std::ssize(adapter.layers) != base.layers)
    return invalid("adapter {} has {} layers, the base {}", adapter.name, adapter.layers.size(),
                   base.layers);
  for (const auto& layer : adapter.layers) {
    for (size_t i = 0; i < kLinears; ++i) {
      const auto which = static_cast<Linear>(i);
      const auto& delta = layer[i];
      if (delta.empty()) continue;
      if (!base.has(which) || delta.a.cols != base.inputs(which) ||
          delta.b.rows != base.outputs(which))
        return invalid("adapter {}: its {} is [{}, {}], the base's [{}, {}]", adapter.name,
                       linear_name(which), delta.b.rows, delta.a.cols, base.outputs(which),
                       base.inputs(which));
    }
  }
  return {};
}

WrittenDelta written(const LowRank& delta, std::string module) {
  WrittenDelta out;
  out.module = std::move(module);
  out.rank = delta.rank;
  out.scale = delta.scale;
  out.inputs = delta.a.cols;
  out.outputs = delta.b.rows;
  append_rows(delta.a, out.a);
  append_rows(delta.b, out.b);
  return out;
}

WrittenDelta written_embedding(const LowRank& delta, const DeltaNames& names) {
  WrittenDelta out = written(delta, names.embedding());
  out.embedding = true;
  out.inputs = delta.a.rows;
  if (!names.embedding_turned) return out;
  std::vector<float> turned(out.a.size());
  for (int64_t token = 0; token < out.inputs; ++token)
    for (int64_t k = 0; k < out.rank; ++k)
      turned[static_cast<size_t>(k * out.inputs + token)] =
          out.a[static_cast<size_t>(token * out.rank + k)];
  out.a = std::move(turned);
  return out;
}

// q, k and v of one A under one another, as a fused tensor has them.
Result<WrittenDelta> fused(const std::array<LowRank, kLinears>& layer, std::string module) {
  auto out = written(layer[0], std::move(module));
  for (const Linear which : {Linear::kK, Linear::kV}) {
    const auto& delta = layer[static_cast<size_t>(which)];
    const auto part = written(delta, {});
    if (out.rank == 0 || part.a != out.a || part.scale != out.scale)
      return make_error(Code::kUnimplemented, "{}: q, k and v have deltas of their own",
                        out.module);
    out.b.insert(out.b.end(), part.b.begin(), part.b.end());
    out.outputs += part.outputs;
  }
  return out;
}

}  // namespace

std::string DeltaNames::module(int64_t layer, Linear which) const {
  return module_stem + names.stem(layer, names.part(which));
}

std::string DeltaNames::embedding() const {
  return module_stem + std::string(without_weight(names.embedding));
}

// Outside of what the stem names: "transformer.wte", but "lm_head".
std::string DeltaNames::head() const {
  return std::string(without_weight(names.head));
}

DeltaNames peft_names(const Architecture& architecture) {
  return {.names = architecture.checkpoint_names(),
          .prefix = "base_model.model.",
          .module_stem = std::string(architecture.checkpoint_prefix),
          .a_suffix = ".lora_A.weight",
          .b_suffix = ".lora_B.weight",
          .embedding_a_suffix = ".lora_embedding_A",
          .embedding_b_suffix = ".lora_embedding_B",
          .embedding_turned = true,
          .rope = architecture.checkpoint_rope};
}

DeltaNames gguf_delta_names(const Architecture& architecture) {
  return {.names = architecture.gguf_names(),
          .prefix = {},
          .module_stem = {},
          .a_suffix = ".weight.lora_a",
          .b_suffix = ".weight.lora_b",
          .embedding_a_suffix = ".weight.lora_a",
          .embedding_b_suffix = ".weight.lora_b",
          .embedding_turned = false,
          .rope = architecture.gguf_rope};
}

Result<Deltas> read_deltas(std::string file, std::vector<StoredTensor> tensors,
                           const ModelConfig& base, const DeltaNames& names, const ScaleOf& scale,
                           WeightStorage& storage) {
  PLINTH_TRY(refuse_positions(file, tensors, names.names));
  Shapes shapes;
  for (const auto& stored : tensors)
    if (stored.shape.size() == 2) shapes[stored.name] = stored.shape;
  PLINTH_TRY(auto picker, TensorPicker::create(std::move(file), std::move(tensors), storage));
  Reader reader(base, names, scale, picker, storage);
  Deltas deltas;
  deltas.layers.resize(static_cast<size_t>(base.layers));
  for (size_t layer = 0; layer < deltas.layers.size(); ++layer) {
    for (size_t i = 0; i < kLinears; ++i) {
      PLINTH_TRY(deltas.layers[layer][i],
                 reader.read(shapes, static_cast<int64_t>(layer), static_cast<Linear>(i)));
    }
  }
  PLINTH_TRY(deltas.embedding, reader.read_embedding(shapes));
  PLINTH_TRY(deltas.head, reader.read_head(shapes));
  for (const auto& table : {names.embedding(), names.head()})
    PLINTH_TRY(pass_over_copy(names.prefix + table + std::string(kCopy), base, picker));
  PLINTH_TRY(picker.finish());
  return deltas;
}

double WrittenDelta::alpha() const {
  const double alpha = static_cast<double>(scale) * static_cast<double>(rank);
  const double whole = std::round(alpha);
  return std::abs(alpha - whole) < 1e-5 * whole ? whole : alpha;
}

void WrittenDelta::append_to(const DeltaNames& names, std::vector<StoredTensor>& tensors) const {
  const auto stem = names.prefix + module;
  const bool turned_back = embedding && !names.embedding_turned;
  tensors.push_back(
      {stem + std::string(embedding ? names.embedding_a_suffix : names.a_suffix), DType::kF32,
       turned_back ? std::vector<int64_t>{inputs, rank} : std::vector<int64_t>{rank, inputs},
       std::as_bytes(std::span(a))});
  tensors.push_back({stem + std::string(embedding ? names.embedding_b_suffix : names.b_suffix),
                     DType::kF32,
                     {outputs, rank},
                     std::as_bytes(std::span(b))});
}

Result<std::vector<WrittenDelta>> written_deltas(const Adapter& adapter, const ModelConfig& base,
                                                 const DeltaNames& names) {
  PLINTH_TRY(check_shape(adapter, base));
  PLINTH_TRY(check_tables(adapter, base));
  const bool is_fused = !names.names.fused_qkv.empty();
  std::vector<WrittenDelta> deltas;
  for (size_t number = 0; number < adapter.layers.size(); ++number) {
    const auto& layer = adapter.layers[number];
    for (size_t i = 0; i < kLinears; ++i) {
      const auto which = static_cast<Linear>(i);
      if (layer[i].empty()) continue;
      auto module = names.module(static_cast<int64_t>(number), which);
      if (is_fused && which <= Linear::kV) {
        PLINTH_TRY(auto one, fused(layer, std::move(module)));
        deltas.push_back(std::move(one));
        i = static_cast<size_t>(Linear::kV);
        continue;
      }
      deltas.push_back(written(layer[i], std::move(module)));
      if (is_rotated(which) && base.rope_style != names.rope)
        deltas.back().b = reordered(deltas.back().b, deltas.back().rank, base.head_dim,
                                    base.rope_style, names.rope);
    }
  }
  if (!adapter.embedding.empty()) deltas.push_back(written_embedding(adapter.embedding, names));
  if (!adapter.head.empty()) deltas.push_back(written(adapter.head, names.head()));
  if (deltas.empty()) return invalid("adapter {} has no deltas", adapter.name);
  return deltas;
}

}  // namespace plinth::model
