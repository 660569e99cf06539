// Attention over packed training batches: one task per (segment, kv head).
//
// A task packs the keys and values of its segment once, then walks blocks of kQueryBlock queries of
// each query head in the group. The scores of a block [kQueryBlock, keys so far] are one product of
// the register tile in gemm_kernel-inl.h, and fit L2; the whole row is there, so the softmax is the
// plain one. Bound: multiply-adds (about 4 d per score, against one exp).
//
// kQueryBlock: a multiple of the tile's 6 or 12 rows. Larger blocks load packed keys less often,
// smaller ones compute fewer scores above the diagonal (half a block per row). 24 and 48 could not
// be told apart on a busy machine (segments 128 to 1024); 24 needs half the scratch.
#include "tensor/cpu/attention.h"

#include "tensor/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/cpu/attention.cpp"

#include <algorithm>
#include <cmath>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "core/check.h"
#include "tensor/cpu/gemm_kernel-inl.h"
#include "tensor/cpu/math-inl.h"
#include "tensor/cpu/parallel.h"

#ifndef PLINTH_TENSOR_CPU_ATTENTION_ONCE_
#define PLINTH_TENSOR_CPU_ATTENTION_ONCE_

namespace plinth::tensor::cpu {

constexpr int64_t kQueryBlock = 24;

constexpr int64_t round_up(int64_t n, int64_t unit) {
  return (n + unit - 1) / unit * unit;
}

// Everything an attention call reads and writes; the last six only backward.
struct AttentionCall {
  AttentionShape shape;
  ConstMatrix q, k, v;
  Matrix y, lse;
  ConstMatrix dy;
  Matrix dq, dk, dv;
};

// Hands out pieces of a thread's scratch, each on its own cache line. From null it only counts.
class Carver {
 public:
  explicit Carver(float* from) : from_(from) {}

  float* take(int64_t n) {
    const int64_t at = taken_;
    taken_ += round_up(n, 16);
    return from_ == nullptr ? nullptr : from_ + at;
  }

  int64_t taken() const { return taken_; }

 private:
  float* from_;
  int64_t taken_ = 0;
};

}  // namespace plinth::tensor::cpu
#endif

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

// The scratch of one task.
struct Scratch {
  // `segment` keys, head_dim d. from null: only the size is wanted.
  Scratch(float* from, int64_t segment, int64_t d, bool backward)
      : depth_panels(round_up(segment, kNr) * d),
        width_panels(segment * round_up(d, kNr)),
        // Rows a power of two apart would share their cache sets.
        score_stride(round_up(segment, 16) + 16) {
    Carver carver(from);
    keys_turned = carver.take(depth_panels);
    (backward ? values_turned : values) = carver.take(backward ? depth_panels : width_panels);
    scores = carver.take(kQueryBlock * score_stride);
    edge = carver.take(kMr * std::max(segment, d) + 4);
    if (backward) {
      keys = carver.take(width_panels);
      slopes = carver.take(kQueryBlock * score_stride);
      block = carver.take(kQueryBlock * round_up(d, kNr));
    }
    size = carver.taken();
  }

  int64_t depth_panels;
  int64_t width_panels;
  int64_t score_stride;
  float* keys_turned = nullptr;    // K^T in panels of kNr keys, depth d
  float* values_turned = nullptr;  // V^T likewise
  float* keys = nullptr;           // K in panels of kNr elements of the head, depth = keys
  float* values = nullptr;         // V likewise
  float* scores = nullptr;         // [kQueryBlock, score_stride]
  float* slopes = nullptr;         // gradients of the scores
  float* block = nullptr;          // a block of queries or of dy, packed like `keys`
  float* edge = nullptr;           // multiply_block's
  int64_t size = 0;
};

int64_t attention_scratch(int64_t segment, int64_t d, bool backward) {
  return Scratch(nullptr, segment, d, backward).size;
}

// rows [n, d] as the right factor with rows as columns: panels of kNr rows, depth d.
HWY_INLINE void pack_depth_d(const float* rows, int64_t stride, int64_t n, int64_t d, float* out) {
  for (int64_t t = 0; t < n; t += kNr, out += kNr * d)
    pack_turned<kNr>(rows + t * stride, stride, std::min<int64_t>(kNr, n - t), d, out);
}

// rows [n, d] as the right factor as they are: panels of kNr columns, depth n.
HWY_INLINE void pack_width_d(const float* rows, int64_t stride, int64_t n, int64_t d, float* out) {
  for (int64_t i = 0; i < d; i += kNr, out += kNr * n)
    pack_straight<kNr>(rows + i, stride, std::min<int64_t>(kNr, d - i), n, out);
}

// Scores of one query, scaled, to exp(score - max); zeros up to `padded`. Returns log-sum-exp and
// the inverse of the sum.
HWY_INLINE float softmax_row(float* s, int64_t n, int64_t padded, float scale, float& inverse_sum) {
  Vector peak = hn::Set(kTag, s[0]);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) peak = hn::Max(peak, hn::LoadU(kTag, s + i));
  float top = hn::GetLane(hn::MaxOfLanes(kTag, peak));
  for (; i < n; ++i) top = std::max(top, s[i]);
  const Vector shift = hn::Set(kTag, -top * scale);
  const Vector by = hn::Set(kTag, scale);
  const float sum = sum_over(n, [&](int64_t j, auto part, Vector total) HWY_ATTR {
    Vector e = exp_of(hn::MulAdd(load(s + j, part), by, shift));
    store(e, s + j, part);
    if constexpr (std::is_same_v<decltype(part), Part>)
      e = hn::IfThenElseZero(hn::FirstN(kTag, static_cast<size_t>(part.n)), e);
    return hn::Add(total, e);
  });
  std::fill(s + n, s + padded, 0.0f);
  inverse_sum = 1 / sum;
  return top * scale + std::log(sum);
}

void attend_segment(const AttentionCall& call, int64_t begin, int64_t end, int64_t kv_head,
                    float* memory) {
  const int64_t d = call.shape.head_dim;
  const int64_t group = call.shape.heads / call.shape.kv_heads;
  const int64_t segment = end - begin;
  const Scratch s(memory, segment, d, false);
  pack_depth_d(call.k.row(begin) + kv_head * d, call.k.stride, segment, d, s.keys_turned);
  pack_width_d(call.v.row(begin) + kv_head * d, call.v.stride, segment, d, s.values);
  for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    for (int64_t first = 0; first < segment; first += kQueryBlock) {
      const int64_t rows = std::min(kQueryBlock, segment - first);
      const int64_t keys = first + rows;
      const Strided q = {call.q.row(begin + first) + head * d, call.q.stride, 1};
      multiply_block(q, false, rows, d, s.keys_turned, kNr * d, keys, s.scores, s.score_stride,
                     false, s.edge);
      float inverse_sums[kQueryBlock];
      for (int64_t r = 0; r < rows; ++r)
        call.lse.row(begin + first + r)[head] = softmax_row(
            s.scores + r * s.score_stride, first + r + 1, keys, call.shape.scale, inverse_sums[r]);
      float* y = call.y.row(begin + first) + head * d;
      multiply_block({s.scores, s.score_stride, 1}, false, rows, keys, s.values, kNr * segment, d,
                     y, call.y.stride, false, s.edge);
      for (int64_t r = 0; r < rows; ++r) {
        float* row = y + r * call.y.stride;
        const Vector by = hn::Set(kTag, inverse_sums[r]);
        for_lanes(d, [&](int64_t i, auto part)
                         HWY_ATTR { store(hn::Mul(load(row + i, part), by), row + i, part); });
      }
    }
  }
}

// scores: q.k -> p; slopes: dy.v -> p (dy.v - delta) scale; zeros past n up to `padded`.
HWY_INLINE void softmax_backward_row(float* scores, float* slopes, int64_t n, int64_t padded,
                                     float scale, float lse, float delta) {
  const Vector by = hn::Set(kTag, scale);
  const Vector shift = hn::Set(kTag, -lse);
  const Vector mean = hn::Set(kTag, delta);
  for_lanes(n, [&](int64_t i, auto part) HWY_ATTR {
    const Vector p = exp_of(hn::MulAdd(load(scores + i, part), by, shift));
    const Vector slope = hn::Mul(hn::Mul(p, by), hn::Sub(load(slopes + i, part), mean));
    store(p, scores + i, part);
    store(slope, slopes + i, part);
  });
  std::fill(scores + n, scores + padded, 0.0f);
  std::fill(slopes + n, slopes + padded, 0.0f);
}

void attend_segment_backward(const AttentionCall& call, int64_t begin, int64_t end, int64_t kv_head,
                             float* memory) {
  const int64_t d = call.shape.head_dim;
  const int64_t group = call.shape.heads / call.shape.kv_heads;
  const int64_t segment = end - begin;
  const Scratch s(memory, segment, d, true);
  pack_depth_d(call.k.row(begin) + kv_head * d, call.k.stride, segment, d, s.keys_turned);
  pack_depth_d(call.v.row(begin) + kv_head * d, call.v.stride, segment, d, s.values_turned);
  pack_width_d(call.k.row(begin) + kv_head * d, call.k.stride, segment, d, s.keys);
  float* dk = call.dk.row(begin) + kv_head * d;
  float* dv = call.dv.row(begin) + kv_head * d;
  for (int64_t t = 0; t < segment; ++t) {
    std::fill_n(dk + t * call.dk.stride, d, 0.0f);
    std::fill_n(dv + t * call.dv.stride, d, 0.0f);
  }
  for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    for (int64_t first = 0; first < segment; first += kQueryBlock) {
      const int64_t rows = std::min(kQueryBlock, segment - first);
      const int64_t keys = first + rows;
      const Strided q = {call.q.row(begin + first) + head * d, call.q.stride, 1};
      const Strided dy = {call.dy.row(begin + first) + head * d, call.dy.stride, 1};
      multiply_block(q, false, rows, d, s.keys_turned, kNr * d, keys, s.scores, s.score_stride,
                     false, s.edge);
      multiply_block(dy, false, rows, d, s.values_turned, kNr * d, keys, s.slopes, s.score_stride,
                     false, s.edge);
      for (int64_t r = 0; r < rows; ++r) {
        const float* y = call.y.row(begin + first + r) + head * d;
        const float* dout = dy.data + r * dy.row_step;
        const float delta = sum_over(d, [&](int64_t i, auto part, Vector sum) HWY_ATTR {
          return hn::MulAdd(load(dout + i, part), load(y + i, part), sum);
        });
        softmax_backward_row(s.scores + r * s.score_stride, s.slopes + r * s.score_stride,
                             first + r + 1, keys, call.shape.scale,
                             call.lse.row(begin + first + r)[head], delta);
      }
      multiply_block({s.slopes, s.score_stride, 1}, false, rows, keys, s.keys, kNr * segment, d,
                     call.dq.row(begin + first) + head * d, call.dq.stride, false, s.edge);
      pack_width_d(dy.data, dy.row_step, rows, d, s.block);
      multiply_block({s.scores, 1, s.score_stride}, false, keys, rows, s.block, kNr * rows, d, dv,
                     call.dv.stride, true, s.edge);
      pack_width_d(q.data, q.row_step, rows, d, s.block);
      multiply_block({s.slopes, 1, s.score_stride}, false, keys, rows, s.block, kNr * rows, d, dk,
                     call.dk.stride, true, s.edge);
    }
  }
}

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace plinth::tensor::cpu {
namespace {

HWY_EXPORT(attention_scratch);
HWY_EXPORT(attend_segment);
HWY_EXPORT(attend_segment_backward);

// Runs task(begin, end, kv head, scratch) for every segment and kv head.
template <typename Task>
void for_each_segment(std::span<const int32_t> starts, const AttentionShape& shape, bool backward,
                      const Task& task) {
  if (starts.size() < 2) return;
  PLINTH_CHECK(shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0, "{} heads over {} kv heads",
               shape.heads, shape.kv_heads);
  const auto segments = static_cast<int64_t>(starts.size()) - 1;
  parallel(segments * shape.kv_heads, 1, [&](int64_t first, int64_t last) {
    thread_local Buffer scratch;
    for (int64_t i = first; i < last; ++i) {
      const int64_t begin = starts[i / shape.kv_heads];
      const int64_t end = starts[i / shape.kv_heads + 1];
      if (begin == end) continue;
      scratch.resize(
          HWY_DYNAMIC_DISPATCH(attention_scratch)(end - begin, shape.head_dim, backward));
      task(begin, end, i % shape.kv_heads, scratch.data());
    }
  });
}

Matrix writable(ConstMatrix m) {
  return {const_cast<float*>(m.data), m.rows, m.cols, m.stride};  // read only: see the call below
}

}  // namespace

void attention(ConstMatrix q, ConstMatrix k, ConstMatrix v, std::span<const int32_t> segment_starts,
               const AttentionShape& shape, Matrix y, Matrix lse) {
  const AttentionCall call = {shape, q, k, v, y, lse, {}, {}, {}, {}};
  for_each_segment(segment_starts, shape, false,
                   [&](int64_t begin, int64_t end, int64_t kv_head, float* scratch) {
                     HWY_DYNAMIC_DISPATCH(attend_segment)(call, begin, end, kv_head, scratch);
                   });
}

void attention_backward(ConstMatrix q, ConstMatrix k, ConstMatrix v, ConstMatrix y, ConstMatrix lse,
                        ConstMatrix dy, std::span<const int32_t> segment_starts,
                        const AttentionShape& shape, Matrix dq, Matrix dk, Matrix dv) {
  const AttentionCall call = {shape, q, k, v, writable(y), writable(lse), dy, dq, dk, dv};
  for_each_segment(segment_starts, shape, true,
                   [&](int64_t begin, int64_t end, int64_t kv_head, float* scratch) {
                     HWY_DYNAMIC_DISPATCH(attend_segment_backward)
                     (call, begin, end, kv_head, scratch);
                   });
}

}  // namespace plinth::tensor::cpu
#endif
