// Small random models and adapters for tests and benchmarks: everything real but the weights.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/rng.h"
#include "model/model.h"
#include "text/tokenizer.h"

namespace plinth::engine {

// One token for each byte; 256 ends an answer.
class ByteTokenizer : public text::Tokenizer {
 public:
  std::vector<int32_t> encode(std::string_view text, bool) const override {
    std::vector<int32_t> ids;
    for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
    return ids;
  }

  std::string decode(std::span<const int32_t> ids, bool) const override {
    std::string bytes;
    for (const int32_t id : ids)
      if (id >= 0 && id < 256) bytes.push_back(static_cast<char>(id));
    return bytes;
  }

  int32_t size() const override { return 257; }

  int32_t bos() const override { return -1; }

  int32_t eos() const override { return 256; }

  bool is_special(int32_t id) const override { return id == 256; }

  int32_t special_id(std::string_view) const override { return -1; }

  const text::TokenizerSpec& spec() const override { return spec_; }

  std::string to_json() const override { return "{}"; }

 private:
  text::TokenizerSpec spec_;
};

inline model::ModelConfig tiny_config() {
  return {.name = "tiny",
          .vocabulary = 257,
          .width = 32,
          .layers = 2,
          .heads = 4,
          .kv_heads = 2,
          .head_dim = 8,
          .ffn = 64,
          .context = 128,
          .qk_norm = true,
          .tied = true};
}

// Matrices that own their floats: what weight views point into.
struct FloatStore {
  std::vector<std::unique_ptr<std::vector<float>>> parts;

  std::vector<float>& add(size_t n) {
    parts.push_back(std::make_unique<std::vector<float>>(n));
    return *parts.back();
  }

  tensor::Weight random(Rng& rng, int64_t rows, int64_t cols, double deviation) {
    auto& floats = add(static_cast<size_t>(rows * cols));
    for (float& x : floats) x = static_cast<float>(rng.normal() * deviation);
    return tensor::weight(tensor::matrix(std::as_const(floats).data(), rows, cols));
  }

  const float* norm(Rng& rng, int64_t n) {
    auto& floats = add(static_cast<size_t>(n));
    for (float& x : floats) x = static_cast<float>(1.0 + 0.1 * rng.normal());
    return floats.data();
  }
};

// Weights at the scale of trained ones; `sharpness` scales the embedding, and thereby the logits.
inline std::shared_ptr<const model::Model> random_model(const model::ModelConfig& config,
                                                        uint64_t seed, double sharpness = 1.0) {
  Rng rng(seed);
  auto store = std::make_shared<FloatStore>();
  model::Weights weights;
  weights.embedding = store->random(rng, config.vocabulary, config.width, sharpness);
  weights.head = config.tied ? weights.embedding
                             : store->random(rng, config.vocabulary, config.width, sharpness);
  weights.final_norm = store->norm(rng, config.width);
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    model::LayerWeights block;
    for (int i = 0; i < model::kLinears; ++i) {
      const auto which = static_cast<model::Linear>(i);
      block.linear[static_cast<size_t>(i)] =
          store->random(rng, config.outputs(which), config.inputs(which),
                        1.0 / std::sqrt(static_cast<double>(config.inputs(which))));
    }
    block.attention_norm = store->norm(rng, config.width);
    block.ffn_norm = store->norm(rng, config.width);
    if (config.qk_norm) {
      block.q_norm = store->norm(rng, config.head_dim);
      block.k_norm = store->norm(rng, config.head_dim);
    }
    weights.layers.push_back(block);
  }
  return model::Model::assemble(config, weights, std::make_shared<ByteTokenizer>(), "", store);
}

inline std::shared_ptr<const model::Adapter> random_adapter(const model::ModelConfig& config,
                                                            int64_t rank, uint64_t seed,
                                                            std::string digest,
                                                            bool tables = false) {
  Rng rng(seed);
  auto store = std::make_shared<FloatStore>();
  auto adapter = std::make_shared<model::Adapter>();
  adapter->name = "adapter " + digest;
  adapter->digest = std::move(digest);
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    std::array<model::LowRank, model::kLinears> deltas;
    for (int i = 0; i < model::kLinears; ++i) {
      const auto which = static_cast<model::Linear>(i);
      deltas[static_cast<size_t>(i)] = {
          .a = store->random(rng, rank, config.inputs(which),
                             1.0 / std::sqrt(static_cast<double>(config.inputs(which)))),
          .b = store->random(rng, config.outputs(which), rank, 0.3),
          .scale = 2.0f,
          .rank = rank};
    }
    adapter->layers.push_back(deltas);
  }
  if (tables) {
    adapter->embedding = {.a = store->random(rng, config.vocabulary, rank, 0.3),
                          .b = store->random(rng, config.width, rank, 0.3),
                          .scale = 2.0f,
                          .rank = rank};
    adapter->head = {.a = store->random(rng, rank, config.width, 0.3),
                     .b = store->random(rng, config.vocabulary, rank, 0.3),
                     .scale = 2.0f,
                     .rank = rank};
  }
  adapter->storage = store;
  return adapter;
}

// base with w + scale * b a in place of every w: what an adapter means. F32 bases only.
inline std::shared_ptr<const model::Model> merged_model(
    const std::shared_ptr<const model::Model>& base, const model::Adapter& adapter) {
  const model::ModelConfig& config = base->config();
  auto store = std::make_shared<std::pair<FloatStore, std::shared_ptr<const model::Model>>>();
  store->second = base;  // keeps alive what is not merged
  model::Weights weights = base->weights();
  for (size_t layer = 0; layer < weights.layers.size(); ++layer)
    for (size_t i = 0; i < static_cast<size_t>(model::kLinears); ++i) {
      tensor::Weight& w = weights.layers[layer].linear[i];
      const model::LowRank& delta = adapter.layers[layer][i];
      PLINTH_CHECK(w.type == tensor::DType::kF32, "only F32 weights are merged here");
      const auto* from = static_cast<const float*>(w.data);
      const auto* a = static_cast<const float*>(delta.a.data);
      const auto* b = static_cast<const float*>(delta.b.data);
      auto& merged = store->first.add(static_cast<size_t>(w.rows * w.cols));
      for (int64_t r = 0; r < w.rows; ++r)
        for (int64_t c = 0; c < w.cols; ++c) {
          double sum = 0;
          for (int64_t k = 0; k < delta.rank; ++k)
            sum += static_cast<double>(b[r * delta.rank + k]) * a[k * w.cols + c];
          merged[static_cast<size_t>(r * w.cols + c)] =
              static_cast<float>(from[r * w.cols + c] + delta.scale * sum);
        }
      w.data = merged.data();
    }
  return model::Model::assemble(config, weights, std::make_shared<ByteTokenizer>(), "", store);
}

}  // namespace plinth::engine
