#include "model/adapter_math.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "core/hash.h"
#include "core/threads.h"
#include "model/low_rank_svd.h"

namespace plinth::model {
namespace {

using Floats = std::deque<std::vector<float>>;  // addresses stay

std::vector<float> floats_of(const tensor::Weight& weight) {
  std::vector<float> floats(static_cast<size_t>(weight.rows * weight.cols));
  tensor::to_f32(weight.data, weight.type, weight.rows * weight.cols, floats.data());
  return floats;
}

tensor::Weight keep(std::vector<float> values, int64_t rows, int64_t cols, Floats& storage) {
  storage.push_back(std::move(values));
  return {storage.back().data(), tensor::DType::kF32, rows, cols};
}

tensor::Weight transposed(const tensor::Weight& weight, Floats& storage) {
  const auto rows = floats_of(weight);
  std::vector<float> turned(rows.size());
  for (int64_t r = 0; r < weight.rows; ++r)
    for (int64_t c = 0; c < weight.cols; ++c)
      turned[static_cast<size_t>(c * weight.rows + r)] =
          rows[static_cast<size_t>(r * weight.cols + c)];
  return keep(std::move(turned), weight.cols, weight.rows, storage);
}

// The embedding's delta as that of a matrix [vocabulary, width], and back.
LowRank as_matrix(const LowRank& embedding, Floats& storage) {
  if (embedding.empty()) return {};
  return {transposed(embedding.b, storage), embedding.a, embedding.scale, embedding.rank};
}

LowRank as_embedding(const LowRank& matrix, Floats& storage) {
  if (matrix.empty()) return {};
  return {matrix.b, transposed(matrix.a, storage), matrix.scale, matrix.rank};
}

// The deltas of delta_places(), those of the embedding as of a matrix.
std::vector<LowRank> matrices_of(const Adapter& adapter, Floats& storage) {
  std::vector<LowRank> matrices;
  for (const LowRank* delta : delta_places(adapter))
    matrices.push_back(delta == &adapter.embedding ? as_matrix(*delta, storage) : *delta);
  return matrices;
}

// "layer 3 q_proj", "embed_tokens": of delta_places().
std::string place_name(size_t place, const ModelConfig& base) {
  const auto linears = static_cast<size_t>(base.layers) * kLinears;
  if (place >= linears) return std::string(place == linears ? kEmbeddingTarget : kHeadTarget);
  return fmt::format("layer {} {}", place / kLinears,
                     linear_name(static_cast<Linear>(place % kLinears)));
}

// Keeps the base alive beside the matrices that replace some of its own.
struct MergedStorage {
  std::shared_ptr<const Model> base;
  Floats matrices;
};

// weight + scale B A, row by row.
std::vector<float> with_delta(const tensor::Weight& weight, const LowRank& delta) {
  const auto a = floats_of(delta.a);
  const auto b = floats_of(delta.b);
  std::vector<float> sum(static_cast<size_t>(weight.rows * weight.cols));
  compute_pool().parallel_for(weight.rows, 16, [&](int64_t begin, int64_t end, int) {
    std::vector<uint8_t> scratch;
    std::vector<double> row(static_cast<size_t>(weight.cols));
    for (int64_t r = begin; r < end; ++r) {
      float* out = sum.data() + r * weight.cols;
      tensor::to_f32(weight.row(r, scratch), weight.type, weight.cols, out);
      std::copy_n(out, weight.cols, row.begin());
      for (int64_t k = 0; k < delta.rank; ++k) {
        const double factor = static_cast<double>(delta.scale) *
                              static_cast<double>(b[static_cast<size_t>(r * delta.rank + k)]);
        const float* from = a.data() + k * weight.cols;
        for (int64_t c = 0; c < weight.cols; ++c)
          row[static_cast<size_t>(c)] += factor * static_cast<double>(from[c]);
      }
      std::copy(row.begin(), row.end(), out);
    }
  });
  return sum;
}

Status check_layers(const Adapter& adapter, const ModelConfig& base) {
  if (static_cast<int64_t>(adapter.layers.size()) == base.layers) return {};
  return invalid("adapter {}: {} layers, the base has {}", adapter.name, adapter.layers.size(),
                 base.layers);
}

// The digest of a delta that comes from no file: of its matrices.
std::string digest_of(const Adapter& adapter) {
  Sha256 digest;
  for (const LowRank* delta : delta_places(adapter))
    for (const auto& m : {delta->a, delta->b})
      if (!m.empty())
        digest.update({static_cast<const char*>(m.data),
                       static_cast<size_t>(m.rows) * tensor::row_bytes(m.type, m.cols)});
  return digest.hex();
}

std::shared_ptr<Adapter> empty_adapter(const ModelConfig& base, std::shared_ptr<Floats>& storage) {
  storage = std::make_shared<Floats>();
  auto adapter = std::make_shared<Adapter>();
  adapter->layers.resize(static_cast<size_t>(base.layers));
  adapter->storage = storage;
  return adapter;
}

struct WeightedDelta {
  LowRank delta;
  double weight = 1;
};

// The deltas of one matrix side by side: scale 1, the weights and scales in B.
Result<LowRank> sum_of(std::span<const WeightedDelta> parts, const std::string& name,
                       Floats& storage) {
  int64_t rank = 0;
  int64_t inputs = 0;
  int64_t outputs = 0;
  for (const auto& [delta, weight] : parts) {
    if (delta.empty()) continue;
    rank += delta.rank;
    inputs = delta.a.cols;
    outputs = delta.b.rows;
  }
  if (rank == 0) return LowRank{};
  if (rank > kRankMax)
    return invalid("{}: the ranks add up to {}, the limit is {}; ask for a lower rank", name, rank,
                   kRankMax);
  std::vector<float> a;
  std::vector<float> b(static_cast<size_t>(outputs * rank));
  int64_t at = 0;
  for (const auto& [delta, weight] : parts) {
    if (delta.empty()) continue;
    const auto its_a = floats_of(delta.a);
    const auto its_b = floats_of(delta.b);
    a.insert(a.end(), its_a.begin(), its_a.end());
    const double factor = weight * static_cast<double>(delta.scale);
    for (int64_t r = 0; r < outputs; ++r)
      for (int64_t k = 0; k < delta.rank; ++k)
        b[static_cast<size_t>(r * rank + at + k)] = static_cast<float>(
            factor * static_cast<double>(its_b[static_cast<size_t>(r * delta.rank + k)]));
    at += delta.rank;
  }
  return LowRank{keep(std::move(a), rank, inputs, storage),
                 keep(std::move(b), outputs, rank, storage), 1.0f, rank};
}

// Both factors carry the root of the singular value, so that neither is much larger.
LowRank of_svd(const ThinSvd& svd, int64_t n, int64_t rank, Floats& storage) {
  const int64_t outputs = static_cast<int64_t>(svd.u.size()) / n;
  const int64_t inputs = static_cast<int64_t>(svd.v.size()) / n;
  std::vector<float> a(static_cast<size_t>(rank * inputs));
  std::vector<float> b(static_cast<size_t>(outputs * rank));
  for (int64_t k = 0; k < rank; ++k) {
    const double root = std::sqrt(svd.values[static_cast<size_t>(k)]);
    for (int64_t c = 0; c < inputs; ++c)
      a[static_cast<size_t>(k * inputs + c)] =
          static_cast<float>(root * svd.v[static_cast<size_t>(c * n + k)]);
    for (int64_t r = 0; r < outputs; ++r)
      b[static_cast<size_t>(r * rank + k)] =
          static_cast<float>(root * svd.u[static_cast<size_t>(r * n + k)]);
  }
  return {keep(std::move(a), rank, inputs, storage), keep(std::move(b), outputs, rank, storage),
          1.0f, rank};
}

std::vector<double> doubles_of(const tensor::Weight& weight, double factor) {
  const auto floats = floats_of(weight);
  std::vector<double> doubles(floats.begin(), floats.end());
  for (double& value : doubles) value *= factor;
  return doubles;
}

}  // namespace

Result<std::shared_ptr<const Model>> merged(const std::shared_ptr<const Model>& base,
                                            const Adapter& adapter) {
  PLINTH_TRY(check_layers(adapter, base->config()));
  auto storage = std::make_shared<MergedStorage>(MergedStorage{base, {}});
  Weights weights = base->weights();
  for (size_t layer = 0; layer < adapter.layers.size(); ++layer) {
    for (size_t i = 0; i < kLinears; ++i) {
      const auto& delta = adapter.layers[layer][i];
      if (delta.empty()) continue;
      auto& weight = weights.layers[layer].linear[i];
      weight = keep(with_delta(weight, delta), weight.rows, weight.cols, storage->matrices);
    }
  }
  ModelConfig config = base->config();
  const auto replace = [&](tensor::Weight& table, const LowRank& delta) {
    if (delta.empty()) return;
    config.tied = false;  // a delta of one table is none of the other
    table = keep(with_delta(table, delta), table.rows, table.cols, storage->matrices);
  };
  replace(weights.embedding, as_matrix(adapter.embedding, storage->matrices));
  replace(weights.head, adapter.head);
  // The tokenizer belongs to the base, which the storage keeps alive.
  std::shared_ptr<const text::Tokenizer> tokenizer(base, &base->tokenizer());
  return Model::assemble(config, std::move(weights), std::move(tokenizer), base->chat_template(),
                         std::move(storage));
}

Result<std::shared_ptr<const Adapter>> weighted_sum(std::span<const Weighted> parts,
                                                    const ModelConfig& base) {
  for (const auto& part : parts) PLINTH_TRY(check_layers(*part.adapter, base));
  std::shared_ptr<Floats> storage;
  auto sum = empty_adapter(base, storage);
  std::vector<std::vector<LowRank>> matrices;
  for (const auto& part : parts) matrices.push_back(matrices_of(*part.adapter, *storage));
  const auto places = delta_places(*sum);
  for (size_t place = 0; place < places.size(); ++place) {
    std::vector<WeightedDelta> deltas;
    for (size_t i = 0; i < parts.size(); ++i)
      deltas.push_back({matrices[i][place], parts[i].weight});
    PLINTH_TRY(*places[place], sum_of(deltas, place_name(place, base), *storage));
  }
  sum->embedding = as_embedding(sum->embedding, *storage);
  sum->name = "sum";
  sum->digest = digest_of(*sum);
  return std::shared_ptr<const Adapter>(std::move(sum));
}

Result<Refactored> refactored(const Adapter& adapter, const ModelConfig& base, int64_t rank) {
  PLINTH_TRY(check_layers(adapter, base));
  if (rank < 1 || rank > kRankMax) return invalid("rank {} is outside 1..{}", rank, kRankMax);
  std::shared_ptr<Floats> storage;
  auto result = empty_adapter(base, storage);
  double all = 0;
  double kept = 0;
  const auto matrices = matrices_of(adapter, *storage);
  const auto places = delta_places(*result);
  for (size_t place = 0; place < places.size(); ++place) {
    const auto& delta = matrices[place];
    if (delta.empty()) continue;
    if (delta.rank > std::min(delta.a.cols, delta.b.rows))
      return invalid("{}: rank {} of a matrix of {} x {}", place_name(place, base), delta.rank,
                     delta.b.rows, delta.a.cols);
    const auto svd = svd_of_product(doubles_of(delta.b, static_cast<double>(delta.scale)),
                                    doubles_of(delta.a, 1), delta.rank);
    const int64_t n = std::min(rank, delta.rank);
    for (int64_t k = 0; k < delta.rank; ++k) {
      const double squared =
          svd.values[static_cast<size_t>(k)] * svd.values[static_cast<size_t>(k)];
      all += squared;
      if (k < n) kept += squared;
    }
    *places[place] = of_svd(svd, delta.rank, n, *storage);
  }
  result->embedding = as_embedding(result->embedding, *storage);
  result->name = adapter.name;
  result->digest = digest_of(*result);
  return Refactored{std::move(result), all > 0 ? kept / all : 1};
}

}  // namespace plinth::model
