// For tests: small random bases and batches.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/rng.h"
#include "model/model.h"
#include "train/math/base_parameters.h"
#include "train/math/tape.h"

namespace plinth::train {

inline model::ModelConfig tiny_config(const std::string& architecture = "qwen3") {
  model::ModelConfig config;
  config.architecture = architecture;
  config.vocabulary = 37;
  config.width = 16;
  config.layers = 2;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 8;
  config.ffn = 24;
  config.context = 64;
  config.qk_norm_after_rope = architecture == "hunyuan-dense";
  config.qk_norm = architecture == "qwen3" || config.qk_norm_after_rope;
  config.output_bias = config.ffn_bias = architecture == "ernie4_5";
  config.qkv_bias = architecture == "qwen2" || config.output_bias;
  if (architecture == "ernie4_5") config.rope_style = tensor::RopeStyle::kInterleaved;
  if (architecture == "smollm3") config.unrotated = {false, true};
  if (architecture == "gpt2") {
    config.norm = model::NormKind::kLayer;
    config.ffn_kind = model::FfnKind::kGelu;
    config.positions = model::PositionKind::kLearned;
    config.qkv_bias = config.output_bias = config.ffn_bias = config.fused_qkv = true;
    config.kv_heads = config.heads;
    config.head_dim = config.width / config.heads;
  }
  config.tied = architecture != "llama";
  return config;
}

// A base whose parameters are all random (norms and biases, too), large enough to matter.
struct TinyBase {
  explicit TinyBase(const model::ModelConfig& config, uint64_t seed = 7)
      : parameters(std::make_shared<BaseParameters>(config)) {
    Rng rng(seed);
    for (const auto& parameter : parameters->parameters().list()) {
      const bool norm = parameter.name.find("norm.weight") != std::string::npos;
      float* values = parameters->parameters().values().data() + parameter.offset;
      for (int64_t i = 0; i < parameter.rows * parameter.cols; ++i)
        values[i] = static_cast<float>((norm ? 1.0 : 0.0) + 0.2 * rng.normal());
    }
    model = model::Model::assemble(config, parameters->weights(), nullptr, "", parameters);
  }

  std::shared_ptr<BaseParameters> parameters;
  std::shared_ptr<const model::Model> model;
};

// Random segments of the given lengths, packed; every `skip`-th row has no target (0: all have
// one).
inline MicroBatch random_batch(const std::vector<int>& lengths, int64_t vocabulary, uint64_t seed,
                               int skip = 0) {
  Rng rng(seed);
  const auto token = [&] {
    return static_cast<int32_t>(rng.below(static_cast<uint64_t>(vocabulary)));
  };
  MicroBatch batch;
  batch.segment_starts.push_back(0);
  for (const int length : lengths) {
    for (int i = 0; i < length; ++i) {
      const bool skipped = skip > 0 && static_cast<int>(batch.tokens.size()) % skip == 0;
      batch.tokens.push_back(token());
      batch.targets.push_back(skipped ? -1 : token());
      batch.positions.push_back(i);
      batch.weights.push_back(0.1f);
    }
    batch.segment_starts.push_back(static_cast<int32_t>(batch.tokens.size()));
  }
  return batch;
}

}  // namespace plinth::train
