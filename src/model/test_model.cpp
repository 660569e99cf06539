#include "model/test_model.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <numeric>

#include "model/architectures/architecture.h"

namespace plinth::model {
namespace {

// Floats that weight views point into.
struct Floats {
  std::deque<std::vector<float>> parts;

  tensor::Weight matrix(Rng& rng, int64_t rows, int64_t cols) {
    return {random(rng, rows * cols, 0.0), tensor::DType::kF32, rows, cols};
  }

  const float* vector(Rng& rng, int64_t n, double mean) { return random(rng, n, mean); }

 private:
  const float* random(Rng& rng, int64_t n, double mean) {
    auto& part = parts.emplace_back(static_cast<size_t>(n));
    for (float& x : part) x = static_cast<float>(mean + 0.2 * rng.normal());
    return part.data();
  }
};

std::shared_ptr<const text::Tokenizer> small_tokenizer() {
  text::BpeTraining training;
  training.vocabulary = 260;
  training.special = {"<|end|>"};
  const std::string_view text = "hello hello hello";
  auto spec = text::train_bpe(std::span(&text, 1), training);
  PLINTH_CHECK(spec.has_value(), "{}", spec.error().message);
  spec->eos = static_cast<int32_t>(std::find(spec->tokens.begin(), spec->tokens.end(), "<|end|>") -
                                   spec->tokens.begin());
  auto tokenizer = text::Tokenizer::from_spec(*std::move(spec));
  PLINTH_CHECK(tokenizer.has_value(), "{}", tokenizer.error().message);
  return *tokenizer;
}

LayerWeights random_layer(const ModelConfig& config, Rng& rng, Floats& floats) {
  LayerWeights layer;
  for (size_t i = 0; i < kLinears; ++i) {
    const auto which = static_cast<Linear>(i);
    if (!config.has(which)) continue;
    layer.linear[i] = floats.matrix(rng, config.outputs(which), config.inputs(which));
    if (config.has_bias(which)) layer.bias[i] = floats.vector(rng, config.outputs(which), 0.0);
  }
  layer.attention_norm = floats.vector(rng, config.width, 1.0);
  layer.ffn_norm = floats.vector(rng, config.width, 1.0);
  if (config.norm == NormKind::kLayer) {
    layer.attention_norm_bias = floats.vector(rng, config.width, 0.0);
    layer.ffn_norm_bias = floats.vector(rng, config.width, 0.0);
  }
  if (config.qk_norm) {
    layer.q_norm = floats.vector(rng, config.head_dim, 1.0);
    layer.k_norm = floats.vector(rng, config.head_dim, 1.0);
  }
  return layer;
}

class WholeSequence : public AttentionSeam {
 public:
  WholeSequence(const Model& model, const tensor::Ops& ops) : model_(model), ops_(ops) {}

  void attend(int64_t, Activations& a, int64_t rows) override {
    const auto& config = model_.config();
    const int64_t q_cols = config.outputs(Linear::kQ);
    const int64_t kv_cols = config.outputs(Linear::kK);
    const std::array<int32_t, 2> starts{0, static_cast<int32_t>(rows)};
    ops_.attention(a.q.as(rows, q_cols), a.k.as(rows, kv_cols), a.v.as(rows, kv_cols), starts,
                   config.attention(), a.attended.as(rows, q_cols),
                   a.attended_lse.as(rows, config.heads));
  }

 private:
  const Model& model_;
  const tensor::Ops& ops_;
};

class OneAdapter : public AdapterSeam {
 public:
  OneAdapter(const Adapter& adapter, const tensor::Ops& ops) : adapter_(adapter), ops_(ops) {}

  void add(int64_t layer, Linear which, tensor::ConstMatrix x, tensor::Matrix y) override {
    add(adapter_.layers[static_cast<size_t>(layer)][static_cast<size_t>(which)], x, y);
  }

  void add_embedding(std::span<const int32_t> tokens, tensor::Matrix x) override {
    add_embedding_delta(ops_, adapter_.embedding, tokens, x);
  }

  void add_head(std::span<const int32_t>, tensor::ConstMatrix hidden,
                tensor::Matrix logits) override {
    add(adapter_.head, hidden, logits);
  }

 private:
  void add(const LowRank& delta, tensor::ConstMatrix x, tensor::Matrix y) {
    if (delta.empty()) return;
    ops_.linear(x, delta.a, low_.as(x.rows, delta.rank), false);
    for (float& value : low_.span()) value *= delta.scale;
    ops_.linear(low_.as(x.rows, delta.rank), delta.b, y, true);
  }

  const Adapter& adapter_;
  const tensor::Ops& ops_;
  tensor::Buffer low_;
};

}  // namespace

ModelConfig tiny_config(const std::string& architecture) {
  ModelConfig config;
  config.architecture = architecture;
  config.name = "tiny";
  config.vocabulary = 263;
  config.width = 20;
  config.layers = 2;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 6;
  config.ffn = 32;
  config.context = 64;
  config.tied = architecture == "qwen3";
  const auto found = architecture_of_name(architecture);
  PLINTH_CHECK(found.has_value(), "{}", found.error().message);
  config.rope_style = (*found)->checkpoint_rope;
  if ((*found)->define != nullptr) (*found)->define(config);
  return config;
}

std::shared_ptr<const Model> random_model(const ModelConfig& config, uint64_t seed) {
  Rng rng(seed);
  auto floats = std::make_shared<Floats>();
  Weights weights;
  weights.embedding = floats->matrix(rng, config.vocabulary, config.width);
  weights.head =
      config.tied ? weights.embedding : floats->matrix(rng, config.vocabulary, config.width);
  weights.final_norm = floats->vector(rng, config.width, 1.0);
  if (config.norm == NormKind::kLayer)
    weights.final_norm_bias = floats->vector(rng, config.width, 0.0);
  if (config.positions == PositionKind::kLearned)
    weights.position_table = floats->vector(rng, config.context * config.width, 0.0);
  for (int64_t layer = 0; layer < config.layers; ++layer)
    weights.layers.push_back(random_layer(config, rng, *floats));
  return Model::assemble(config, std::move(weights), small_tokenizer(), "{{ messages }}", floats);
}

std::shared_ptr<const Adapter> random_adapter(const ModelConfig& config, int64_t rank,
                                              uint64_t seed, bool tables) {
  Rng rng(seed);
  auto floats = std::make_shared<Floats>();
  auto adapter = std::make_shared<Adapter>();
  adapter->name = "random";
  adapter->layers.resize(static_cast<size_t>(config.layers));
  for (auto& layer : adapter->layers) {
    for (size_t i = 0; i < kLinears; ++i) {
      const auto which = static_cast<Linear>(i);
      if (!config.has(which)) continue;
      layer[i] = {floats->matrix(rng, rank, config.inputs(which)),
                  floats->matrix(rng, config.outputs(which), rank), 2.0f, rank};
    }
  }
  if (tables) {
    adapter->embedding = {floats->matrix(rng, config.vocabulary, rank),
                          floats->matrix(rng, config.width, rank), 2.0f, rank};
    adapter->head = {floats->matrix(rng, rank, config.width),
                     floats->matrix(rng, config.vocabulary, rank), 2.0f, rank};
  }
  adapter->storage = floats;
  return adapter;
}

std::vector<float> forward(const Model& model, const tensor::Ops& ops, std::span<const int32_t> ids,
                           const Adapter* adapter) {
  const auto& config = model.config();
  const auto rows = static_cast<int64_t>(ids.size());
  std::vector<int32_t> positions(ids.size());
  std::iota(positions.begin(), positions.end(), 0);
  tensor::Buffer hidden;
  const auto x = hidden.as(rows, config.width);
  embed_tokens(model, ops, ids, positions, x);
  WholeSequence attention(model, ops);
  std::unique_ptr<OneAdapter> deltas;
  if (adapter != nullptr) {
    deltas = std::make_unique<OneAdapter>(*adapter, ops);
    deltas->add_embedding(ids, x);
  }
  Activations activations;
  for (int64_t layer = 0; layer < config.layers; ++layer)
    block_forward({&model, &ops, layer, positions, &attention, deltas.get()}, x, activations, x);
  final_norm(model, ops, x, x, nullptr);
  std::vector<float> logits(static_cast<size_t>(rows * config.vocabulary));
  const auto out = tensor::matrix(logits.data(), rows, config.vocabulary);
  ops.linear(x, model.weights().head, out, false);
  if (deltas != nullptr) deltas->add_head({}, x, out);
  return logits;
}

double relative_error(std::span<const float> found, std::span<const float> expected) {
  PLINTH_CHECK(found.size() == expected.size(), "{} and {}", found.size(), expected.size());
  double difference = 0;
  double largest = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    difference = std::max(difference, std::abs(static_cast<double>(found[i]) - expected[i]));
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
    if (!std::isfinite(found[i])) return INFINITY;
  }
  return difference / largest;
}

}  // namespace plinth::model
