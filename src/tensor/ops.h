// Every operation of the engine and the trainer, declared once; a backend is a table of them.
//
// Conventions for all entries:
// - shapes are given in comments as [rows, cols]; all views are F32 unless they are Weights;
// - outputs must not alias inputs unless the comment says "may alias";
// - `accumulate` means +=, otherwise = ;
// - entries split their work over compute_pool() and return when it is done. They may be called
// from
//   one thread at a time or from inside a parallel loop (then they run inline);
// - results do not depend on the number of threads: reductions are split by shape, never by worker.
//   Up to kRowsAlone rows `linear` with a quantised weight does not depend on the number of rows in
//   a call either: a row alone and in a batch gives the same bits. Beyond, and with other types, it
//   may (a different kernel may be chosen);
// - sizes of zero rows are fine and do nothing;
// - error bound: relative to a double-precision sum of the same products, |error| <= 1e-5 * sum|a
//   b|; where floats are split for a matrix unit (linear_dx, linear_dw, exact_ops(), `linear` with
//   F16 and BF16 weights) 2^-15 at worst, some 4e-6 in practice. One exception: `linear` with a
//   quantised weight (Q8_0 to Q6_K) rounds x to 255 steps by blocks of 32 columns or, with many
//   rows, x and w to bfloat16. Either adds
//     sum over blocks B of max|x_B| / 254 * sum|w_B|
//   at worst, some 0.3 % of the result in practice. A value of x that is not finite makes its row
//   NaN. linear_dx and exact_ops() keep the first bounds for every type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "tensor/tensor.h"

namespace plinth::tensor {

// See above.
inline constexpr int64_t kRowsAlone = 64;

struct AttentionShape {
  int64_t heads = 0;     // query heads
  int64_t kv_heads = 0;  // divides heads; query head h reads kv head h / (heads / kv_heads)
  int64_t head_dim = 0;
  float scale = 0.0f;  // usually 1 / sqrt(head_dim)
};

enum class RopeStyle : uint8_t {
  kHalves,       // pairs (i, i + d/2): Hugging Face checkpoints, GGUF "neox"
  kInterleaved,  // pairs (2i, 2i + 1): GGUF "llama" after its permutation, llama2.c
};

struct Rope {
  int64_t head_dim = 0;
  RopeStyle style = RopeStyle::kHalves;
  // Angle of pair i at position p is p * inverse_frequencies[i]; head_dim / 2 entries.
  std::span<const float> inverse_frequencies;
  float magnitude = 1.0f;  // multiplies every rotated value (YaRN's attention factor)
};

// How keys and values are kept. F16 rounds to 11 bits (relative 2^-11; past 65504 a key is
// infinite), Q8 to 255 steps of the largest magnitude among 32 elements of a head (relative to that
// one 1/254), at some 53 % of F16's bytes.
enum class KvType : uint8_t { kF32, kF16, kQ8 };

std::string_view kv_type_name(KvType type);  // "f32", "f16", "q8"
std::optional<KvType> parse_kv_type(std::string_view name);

// Bytes that the keys, or the values, of one kv head take in a block: whole cache lines.
int64_t kv_head_bytes(KvType type, int64_t head_dim, int64_t block_tokens);

// Keys and values of any sequences, in blocks of block_tokens tokens. Token t of a sequence is in
// block table[t / block_tokens]; its kv head h begins kv_head_bytes * (block * kv_heads + h) bytes
// into the pool. What lies there is the business of store_kv and paged_attention alone
// (kv_cache.h): others copy whole blocks or nothing. Pools are aligned to 64 bytes.
struct PagedKv {
  std::byte* k_pool = nullptr;
  std::byte* v_pool = nullptr;
  int64_t block_tokens = 0;
  KvType type = KvType::kF32;
};

// One adapter's delta on rows [begin, begin + rows) of a linear layer: y += scale * (x a^T) b^T.
struct LowRankSegment {
  int64_t begin = 0;
  int64_t rows = 0;
  Weight a;  // [rank, K]
  Weight b;  // [N, rank], or turned
  float scale = 1.0f;
  // Ranks are too short for blocks of 32, so Q8_0 can have them along the outputs: then b is
  // [N / 32, rank * 32], and block r of its row p are outputs 32 p .. 32 p + 31 of column r.
  bool turned = false;
  Matrix y;  // [rows of x, N]
};

// One of several products of the same x: y (+)= x . w^T.
struct LinearOutput {
  Weight w;
  Matrix y;
  bool accumulate = false;
};

struct AdamW {
  float lr = 0, beta1 = 0.9f, beta2 = 0.95f, eps = 1e-8f, weight_decay = 0;
  int64_t step = 1;          // from 1: bias correction
  float gradient_scale = 1;  // multiplies every gradient first (clipping, averaging)
};

// Elements of a sum of `exp_sums`.
inline constexpr int64_t kExpSums = 1024;

struct Ops {
  const char* name;  // "ref", "cpu"

  // Rows that `linear` wants interleaved (quant/panels.h) in a weight of this type; 0: as stored.
  // Every entry that reads a weight takes both forms; those of the backward pass and of exact_ops()
  // are slower with panels, which they put back together block by block.
  int (*panel)(DType type);
  // y [M, N] = x [M, K] . w [N, K]^T
  void (*linear)(ConstMatrix x, Weight w, Matrix y, bool accumulate);
  // Each output as `linear` gives it, bit for bit; x is prepared once and threads are called once.
  void (*linear_shared)(ConstMatrix x, std::span<const LinearOutput> outputs);
  // Rows that low_rank wants interleaved in a B that is not quantised, of rank 256 or less; 0: as
  // stored. It takes both forms.
  int (*low_rank_panel)();
  // y [M, N] += scale * (x [M, K] . a^T) . b^T for each segment, on its rows and its y. No two have
  // a row and a y in common; their ranks may differ. Those of the same rows should follow each
  // other. A row's result depends on nothing else in the call.
  void (*low_rank)(ConstMatrix x, std::span<const LowRankSegment> segments);
  // dx [M, K] = dy [M, N] . w [N, K]
  void (*linear_dx)(ConstMatrix dy, Weight w, Matrix dx, bool accumulate);
  // dw [N, K] = dy [M, N]^T . x [M, K]
  void (*linear_dw)(ConstMatrix dy, ConstMatrix x, Matrix dw, bool accumulate);

  // y = x / rms(x) * gain by row, rms = sqrt(mean(x^2) + eps). inverse_rms [rows] is written when
  // given (the backward pass wants it). x and y [rows, cols] may alias.
  void (*rms_norm)(ConstMatrix x, const float* gain, float eps, Matrix y, float* inverse_rms);
  // dx += ..., dgain [cols] += ... (dgain may be null: frozen).
  void (*rms_norm_backward)(ConstMatrix x, const float* gain, const float* inverse_rms,
                            ConstMatrix dy, Matrix dx, float* dgain);

  // y = (x - mean) / sqrt(variance + eps) * gain + bias by row; gain and bias [cols].
  // x and y [rows, cols] may alias.
  void (*layer_norm)(ConstMatrix x, const float* gain, const float* bias, float eps, Matrix y);
  // dx += ..., dgain and dbias [cols] += ... (both null: frozen). Mean and variance are taken anew.
  void (*layer_norm_backward)(ConstMatrix x, const float* gain, float eps, ConstMatrix dy,
                              Matrix dx, float* dgain, float* dbias);

  // Rotates every head of x [rows, n_heads * head_dim] in place; row r is at positions[r].
  // inverse = true rotates back, with the same magnitude: the backward pass.
  void (*rope)(Matrix x, std::span<const int32_t> positions, const Rope& rope, bool inverse);

  // y = silu(gate) * up, all [rows, cols]; y may alias gate or up.
  void (*swiglu)(ConstMatrix gate, ConstMatrix up, Matrix y);
  // dgate, dup = ...; dgate may alias gate, dup may alias up.
  void (*swiglu_backward)(ConstMatrix gate, ConstMatrix up, ConstMatrix dy, Matrix dgate,
                          Matrix dup);

  // y = x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, GPT-2's GELU.
  // x and y [rows, cols] may alias.
  // Source: Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016, section 2.
  void (*gelu)(ConstMatrix x, Matrix y);
  // dx = dy * gelu'(x); dx may alias x or dy.
  void (*gelu_backward)(ConstMatrix x, ConstMatrix dy, Matrix dx);

  // Causal attention inside each segment of a packed batch: segment s is rows
  // [segment_starts[s], segment_starts[s + 1]); the last entry of segment_starts is the row count.
  // q [T, heads * head_dim], k, v [T, kv_heads * head_dim], y like q.
  // lse [T, heads]: log of the softmax denominator (with the maximum folded in), for the backward.
  void (*attention)(ConstMatrix q, ConstMatrix k, ConstMatrix v,
                    std::span<const int32_t> segment_starts, const AttentionShape& shape, Matrix y,
                    Matrix lse);
  // dq, dk, dv = ... (overwritten).
  void (*attention_backward)(ConstMatrix q, ConstMatrix k, ConstMatrix v, ConstMatrix y,
                             ConstMatrix lse, ConstMatrix dy,
                             std::span<const int32_t> segment_starts, const AttentionShape& shape,
                             Matrix dq, Matrix dk, Matrix dv);

  // Writes row r of k, v [rows, kv_heads * head_dim] to token positions[r] of the sequence whose
  // block table is tables[r].
  void (*store_kv)(ConstMatrix k, ConstMatrix v, std::span<const int32_t* const> tables,
                   std::span<const int32_t> positions, const AttentionShape& shape, PagedKv kv);
  // Row r of q attends to tokens 0..positions[r] of its own sequence, which are stored. y like q.
  // A row's result depends on nothing else in the call. Consecutive rows of one table and
  // consecutive positions (a prefill chunk) share the keys and values they read.
  void (*paged_attention)(ConstMatrix q, std::span<const int32_t* const> tables,
                          std::span<const int32_t> positions, const AttentionShape& shape,
                          PagedKv kv, Matrix y);

  // y [rows, d] = table [vocabulary, d] rows of the tokens (each in range: the caller checked).
  void (*embed)(std::span<const int32_t> tokens, Weight table, Matrix y);
  // dtable[token] += dy row. The same token may come many times; the order is fixed.
  void (*embed_backward)(std::span<const int32_t> tokens, ConstMatrix dy, Matrix dtable);

  // Softmax cross-entropy by row, in place: logits [rows, vocabulary] become
  // weights[r] * (softmax(logits) - onehot(target)), losses[r] = -log p(target) (unweighted).
  // targets[r] < 0: the row counts for nothing (loss 0, gradient 0).
  void (*cross_entropy)(Matrix logits, std::span<const int32_t> targets,
                        std::span<const float> weights, std::span<float> losses);
  // out[r] = log softmax(logits[r])[targets[r]]; logits are not changed.
  void (*log_probability)(ConstMatrix logits, std::span<const int32_t> targets,
                          std::span<float> out);
  // sums[i] = sum of exp(scale * (x - peak)) over the i-th kExpSums elements of x; there are as
  // many sums as that makes. x holds no NaN; an element of -infinity adds nothing.
  void (*exp_sums)(std::span<const float> x, float peak, float scale, std::span<float> sums);

  // y += a * x
  void (*axpy)(float a, std::span<const float> x, std::span<float> y);
  double (*sum_of_squares)(std::span<const float> x);
  // One AdamW update of w, m, v (all of one size) from g, which is zero afterwards: the next step's
  // gradients are added to it, and a pass of its own would bring it from memory once more.
  // Decoupled weight decay.
  // Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.
  void (*adamw)(std::span<float> w, std::span<float> g, std::span<float> m, std::span<float> v,
                const AdamW& hyper);
};

// The plain scalar version, accumulating in double; what every other table is tested against.
const Ops& ref_ops();
// Highway kernels, the best target of this machine chosen at run time.
const Ops& cpu_ops();
// The table everything above uses: cpu_ops(), or ref_ops() with PLINTH_DEVICE=ref in the
// environment.
const Ops& default_ops();

// default_ops(), but `linear` leaves x as it is: what training runs, so that the backward pass
// belongs to the forward pass it follows.
const Ops& exact_ops();

// "AVX2", "AVX3", "NEON", ...: what cpu_ops() runs here.
const char* simd_target();

}  // namespace plinth::tensor
