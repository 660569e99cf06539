// A base: an architecture described as data, its weights (mapped or owned), its tokenizer and chat
// template. Adapters: low-rank deltas over the same linear layers.
//
// A Model is immutable once opened and shared by the engine, the trainer and requests in flight
// (shared_ptr: its lifetime is truly shared). Weights may be views into the mapped file.
// Everything read from a file is checked here: whoever holds a Model can index it without checks.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"
#include "core/json.h"
#include "core/pages.h"
#include "core/result.h"
#include "model/rope_scaling.h"
#include "model/weights_digest.h"
#include "tensor/ops.h"
#include "tensor/tensor.h"
#include "text/tokenizer.h"

namespace plinth::model {

// The seven linear layers of a decoder block; adapters name them. Without a gate (FfnKind::kGelu)
// kGate does not exist.
enum class Linear : uint8_t { kQ, kK, kV, kO, kGate, kUp, kDown };
inline constexpr int kLinears = 7;

// Far above any model that exists.
inline constexpr int64_t kWidthMax = 1 << 17;
inline constexpr int64_t kLayersMax = 1024;
// Of an adapter's matrices; the engine keeps so many floats for each row of a step.
inline constexpr int64_t kRankMax = 256;

// What the tables are called among an adapter's targets, as PEFT does.
inline constexpr std::string_view kEmbeddingTarget = "embed_tokens";
inline constexpr std::string_view kHeadTarget = "lm_head";
std::string_view linear_name(Linear which);  // "q_proj", ..., "down_proj" (Hugging Face names)

enum class NormKind : uint8_t {
  kRms,
  kLayer,  // LayerNorm: about the mean, with a bias
};

enum class FfnKind : uint8_t {
  kSwiglu,  // down(silu(gate(x)) * up(x))
  kGelu,    // down(gelu(up(x)))
};

enum class PositionKind : uint8_t {
  kRotary,
  kLearned,  // a table [context, width] that is added to the embeddings
};

// An architecture as data: what the decoder does, flag by flag. The files of
// model/architectures/ say which flags an architecture has and where its numbers are kept.
struct ModelConfig {
  std::string architecture = "qwen3";  // GGUF's general.architecture
  std::string name;
  int64_t vocabulary = 0;
  int64_t width = 0;  // hidden size
  int64_t layers = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  int64_t ffn = 0;  // intermediate size
  int64_t context = 0;
  float norm_eps = 1e-6f;
  NormKind norm = NormKind::kRms;
  FfnKind ffn_kind = FfnKind::kSwiglu;
  PositionKind positions = PositionKind::kRotary;
  float rope_theta = 10000.0f;
  RopeScaling rope_scaling = {};
  tensor::RopeStyle rope_style = tensor::RopeStyle::kHalves;
  std::vector<bool> unrotated = {};  // layers without RoPE; empty: none
  bool qk_norm = false;              // RMSNorm over each head of q and k
  bool qk_norm_after_rope = false;   // where q and k are normalised
  bool qkv_bias = false;
  bool output_bias = false;  // of the attention's output projection
  bool ffn_bias = false;
  bool fused_qkv = false;  // checkpoints keep q, k and v as one layer: a delta has one A for them
  bool tied = false;       // the head is the embedding table

  tensor::AttentionShape attention() const;
  // Outputs and inputs of a linear layer.
  int64_t outputs(Linear which) const;
  int64_t inputs(Linear which) const;

  bool has(Linear which) const { return which != Linear::kGate || ffn_kind == FfnKind::kSwiglu; }

  bool has_bias(Linear which) const;
  // Does the layer rotate its q and k?
  bool rotates(int64_t layer) const;
  // kInvalidArgument names the field and the limit it breaks.
  Status check() const;
};

struct LayerWeights {
  std::array<tensor::Weight, kLinears> linear;   // [outputs, inputs] each; empty: not there
  std::array<const float*, kLinears> bias = {};  // [outputs]; null where the config has none
  const float* attention_norm = nullptr;         // [width]
  const float* attention_norm_bias = nullptr;    // [width], LayerNorm only
  const float* ffn_norm = nullptr;               // [width]
  const float* ffn_norm_bias = nullptr;          // [width], LayerNorm only
  const float* q_norm = nullptr;                 // [head_dim], qk_norm only
  const float* k_norm = nullptr;                 // [head_dim], qk_norm only
};

struct Weights {
  tensor::Weight embedding;               // [vocabulary, width]
  tensor::Weight head;                    // [vocabulary, width]; the embedding when tied
  const float* position_table = nullptr;  // [context, width], learned positions only
  const float* final_norm = nullptr;
  const float* final_norm_bias = nullptr;  // [width], LayerNorm only
  std::vector<LayerWeights> layers;
};

struct TensorCount {
  int64_t tensors = 0;
  int64_t bytes = 0;
};

class Model {
 public:
  // A GGUF file or a Hugging Face folder. Errors name the file and the tensor or key at fault.
  // `memo` remembers the digest between processes.
  static Result<std::shared_ptr<const Model>> open(const Path& path, DigestMemo memo = {});
  // The base that is built into this binary.
  static Result<std::shared_ptr<const Model>> open_embedded();
  // From parts; `storage` keeps alive whatever the weight views point into. The trainer uses this
  // with weights that it goes on changing: then it is the only user.
  static std::shared_ptr<const Model> assemble(ModelConfig config, Weights weights,
                                               std::shared_ptr<const text::Tokenizer> tokenizer,
                                               std::string chat_template,
                                               std::shared_ptr<const void> storage);

  const ModelConfig& config() const { return config_; }

  const Weights& weights() const { return weights_; }

  // Frequencies, style and magnitude, ready for Ops::rope; rotary positions only.
  tensor::Rope rope() const;

  const text::Tokenizer& tokenizer() const { return *tokenizer_; }

  // Jinja source; empty when the files carry none.
  const std::string& chat_template() const { return chat_template_; }

  // sha-256 of the weight file (of the safetensors shards in order for a folder): the base's
  // identity in caches, adapters' lineage and releases. Empty for assembled models.
  // Worked out by the first call (weights_digest.h).
  const std::string& digest() const;

  int64_t parameters() const;
  int64_t weight_bytes() const;
  // What the weights are kept in, by type. Norms, biases and other vectors are F32 in memory.
  std::map<tensor::DType, TensorCount> tensor_counts() const;

 private:
  friend class Interleaving;
  friend class Loader;
  Model() = default;

  ModelConfig config_;
  Weights weights_;
  std::vector<float> inverse_frequencies_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  std::string chat_template_;
  std::shared_ptr<const WeightsDigest> digest_;
  std::shared_ptr<const void> storage_;
  std::span<const std::byte> mapped_;  // the mapped file that weights may point into
};

// A model on its way to the form that `ops.linear` wants: quantised matrices interleaved in memory
// of their own, one at a time, and the pages of the file that they came from given back. At every
// moment it computes the same bits. Training wants the other form (Ops::panel). One thread at a
// time.
class Interleaving {
 public:
  Interleaving(const std::shared_ptr<const Model>& model, const tensor::Ops& ops);

  // A copy of the model, which advance() changes.
  const Model& model() const { return *model_; }

  // Turns the next matrix on compute_pool(); false when none is left. kResourceExhausted: no
  // memory.
  Result<bool> advance();

 private:
  const tensor::Ops& ops_;
  std::shared_ptr<Model> model_;
  std::vector<Pages>* storage_;        // in the model's storage
  std::vector<tensor::Weight*> left_;  // of the model
};

// The tokenizer alone: of a GGUF file (whose weights may be missing), a Hugging Face folder, a
// tokenizer.json or a SentencePiece tokenizer.model.
Result<std::shared_ptr<const text::Tokenizer>> open_tokenizer(const Path& path);

// What write_gguf made of the matrices.
struct WriteReport {
  std::map<tensor::DType, int64_t> bytes;
  // One for each matrix whose rows are no whole blocks of the wanted type: its name, the row and
  // what it became (Q4_K: Q5_0, Q5_K: Q5_1, Q6_K: Q8_0, all others: F16).
  std::vector<std::string> notes;
};

// Writes a GGUF v3 file that Model::open and other GGUF readers understand: config, tokenizer, chat
// template, every tensor (norms F32, matrices as `type`; of a quantised type below eight bits the
// head is Q6_K). Atomic. `metadata` adds string keys ("plinth.recipe_sha256", "general.license").
// The bytes do not depend on the number of threads.
Status write_gguf(const Path& path, const Model& model, tensor::DType type, const Json& metadata,
                  WriteReport* report = nullptr);

// A low-rank delta: y += scale * (x A^T) B^T for each linear layer that has one.
struct LowRank {
  tensor::Weight a;  // [rank, inputs]
  tensor::Weight b;  // [outputs, rank], or turned (tensor::LowRankSegment)
  float scale = 0;   // alpha / rank (rsLoRA: alpha / sqrt(rank))
  int64_t rank = 0;
  bool turned = false;  // only in what interleaved() gives

  bool empty() const { return rank == 0; }
};

// An adapter over one base shape. Immutable once opened, shared like a Model.
struct Adapter {
  std::string name;
  std::string digest;  // sha-256 of the weight file
  // By layer; the rows of q and k in the order of the base's RoPE style.
  std::vector<std::array<LowRank, kLinears>> layers;
  // Of the tables, each for itself even where the base's head is its embedding. The head's is a
  // linear layer's; the embedding's A is [vocabulary, rank], a row a token, in F32:
  // x += scale * A[token] B^T.
  LowRank embedding, head;
  std::shared_ptr<const void> storage;

  // A PEFT folder (adapter_config.json, adapter_model.safetensors) or a GGUF file of type adapter.
  // DoRA, modules_to_save, biases, deltas of learned positions, and shapes that don't fit `base`
  // are refused by name.
  static Result<std::shared_ptr<const Adapter>> open(const Path& path, const ModelConfig& base);
};

// Every place for a delta, empty ones too, in an order that all adapters over one base share: by
// layer, then the embedding, then the head.
std::vector<const LowRank*> delta_places(const Adapter& adapter);
std::vector<LowRank*> delta_places(Adapter& adapter);

// The same delta as `ops.low_rank` wants it, in memory of its own and in fewer bits over a base
// that has fewer, because a step reads all of them; sums stay F32.
//   over a base with F32 layers    matrices as they are, B interleaved
//   with F16 or BF16 layers        F32 matrices as F16: rounded to 11 bits
//   with quantised layers only     as Q8_0, B turned: rounded to 255 steps of the largest of 32.
//                                  A matrix whose long side is no multiple of 32 as above
// Quantised matrices stay as they are. kResourceExhausted: no memory.
Result<std::shared_ptr<const Adapter>> interleaved(const Adapter& adapter, const Model& base,
                                                   const tensor::Ops& ops);

// The formats that adapters are exchanged in. Matrices are F32, and rows of q and k are put into
// the order of the format, so that what is read back over any copy of the base is the same delta.
// Atomic, file by file.
//
// A PEFT folder: tensors and modules are called as PEFT calls them over the base's checkpoint
// (base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight).
Status write_peft(const Path& folder, const Adapter& adapter, const ModelConfig& base);
// A GGUF file of type adapter, for readers like llama.cpp. It has one alpha for all modules: where
// a module's differs, B makes up for it.
Status write_gguf_adapter(const Path& path, const Adapter& adapter, const ModelConfig& base);

}  // namespace plinth::model
