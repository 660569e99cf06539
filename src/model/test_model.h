// For the tests of this module: small random models with a real tokenizer, and a whole forward pass
// over one sequence.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/rng.h"
#include "model/decoder.h"
#include "model/model.h"
#include "tensor/ops.h"

namespace plinth::model {

// Every size odd or small; any architecture by its GGUF name.
ModelConfig tiny_config(const std::string& architecture);

std::shared_ptr<const Model> random_model(const ModelConfig& config, uint64_t seed);

// One delta for every linear layer.
std::shared_ptr<const Adapter> random_adapter(const ModelConfig& config, int64_t rank,
                                              uint64_t seed, bool tables = false);

// Logits [ids, vocabulary] of one sequence; `adapter` may be null.
std::vector<float> forward(const Model& model, const tensor::Ops& ops, std::span<const int32_t> ids,
                           const Adapter* adapter);

// The largest difference, relative to the largest magnitude of `expected`.
double relative_error(std::span<const float> found, std::span<const float> expected);

}  // namespace plinth::model
