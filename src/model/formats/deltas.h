// What PEFT folders and GGUF adapters have in common: which tensors hold the delta of which linear
// layer, how they are checked against a base, and how they are put back.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/architectures/architecture.h"
#include "model/model.h"
#include "model/stored_tensor.h"
#include "model/weight_loader.h"

namespace plinth::model {

// As Adapter has them.
struct Deltas {
  std::vector<std::array<LowRank, kLinears>> layers;
  LowRank embedding, head;
};

// What a format calls the two matrices of a module, and how it lays out the rows of q and k.
struct DeltaNames {
  const TensorNames& names;
  std::string prefix;       // of a tensor
  std::string module_stem;  // of a module: what follows the prefix first
  std::string_view a_suffix;
  std::string_view b_suffix;
  // Of the embedding, which some call otherwise; its A has a row a token, or a column.
  std::string_view embedding_a_suffix;
  std::string_view embedding_b_suffix;
  bool embedding_turned;
  tensor::RopeStyle rope;

  // What holds a linear layer: "model.layers.3.self_attn.q_proj", "blk.3.attn_q".
  std::string module(int64_t layer, Linear which) const;

  // What holds a table: "model.embed_tokens", "output".
  std::string embedding() const;
  std::string head() const;
};

DeltaNames peft_names(const Architecture& architecture);
DeltaNames gguf_delta_names(const Architecture& architecture);

// The scale of a module whose matrices have this rank, or why that cannot be.
using ScaleOf = std::function<Result<float>(std::string_view module, int64_t rank)>;

// The copies of the base's tables that PEFT stores beside deltas of them (save_embedding_layers)
// are checked for their shape and passed over. Every other tensor finds its place or is refused by
// name: A without B, ranks outside 1..kRankMax, shapes that are not the base's, deltas of learned
// positions. `file` begins the messages about tensors. Block types are kept as F32: low-rank
// products work on floats.
Result<Deltas> read_deltas(std::string file, std::vector<StoredTensor> tensors,
                           const ModelConfig& base, const DeltaNames& names, const ScaleOf& scale,
                           WeightStorage& storage);

// A module's delta as a file keeps it: F32, rows in the file's order, q, k and v in one where the
// architecture fuses them.
struct WrittenDelta {
  std::string module;
  int64_t rank = 0;
  float scale = 0;
  int64_t inputs = 0;
  int64_t outputs = 0;
  std::vector<float> a;  // [rank, inputs]; of the embedding as the format has it
  bool embedding = false;
  std::vector<float> b;  // [outputs, rank]

  // The alpha that gives this scale; whole numbers survive the rounding of the division.
  double alpha() const;
  void append_to(const DeltaNames& names, std::vector<StoredTensor>& tensors) const;
};

// All deltas in the order of the layers, then those of the tables. Refused: an adapter of another
// shape, one without deltas, and deltas of q, k and v that a fused tensor cannot hold.
Result<std::vector<WrittenDelta>> written_deltas(const Adapter& adapter, const ModelConfig& base,
                                                 const DeltaNames& names);

}  // namespace plinth::model
