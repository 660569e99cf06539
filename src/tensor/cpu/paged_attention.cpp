// Attention over paged keys and values, one task per (row, kv head): the query heads of a group
// share each key and value they read. Bound: bytes of the cache for one row, multiply-adds beyond.
#include "tensor/cpu/attention.h"
#include "tensor/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/cpu/paged_attention.cpp"

#include <algorithm>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "core/check.h"
#include "tensor/cpu/math-inl.h"
#include "tensor/cpu/parallel.h"

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

// scores[t] = q . key t, for the n keys of one block.
HWY_INLINE void score_block(const float* q, const float* keys, int64_t n, int64_t d,
                            float* scores) {
  int64_t t = 0;
  for (; t + 4 <= n; t += 4) {
    const float* key = keys + t * d;
    Vector s0 = hn::Zero(kTag), s1 = s0, s2 = s0, s3 = s0;
    for_lanes(d, [&](int64_t i, auto part) HWY_ATTR {
      const Vector qi = load(q + i, part);
      s0 = hn::MulAdd(qi, load(key + i, part), s0);
      s1 = hn::MulAdd(qi, load(key + d + i, part), s1);
      s2 = hn::MulAdd(qi, load(key + 2 * d + i, part), s2);
      s3 = hn::MulAdd(qi, load(key + 3 * d + i, part), s3);
    });
    scores[t] = sum_of_lanes(s0);
    scores[t + 1] = sum_of_lanes(s1);
    scores[t + 2] = sum_of_lanes(s2);
    scores[t + 3] = sum_of_lanes(s3);
  }
  for (; t < n; ++t) {
    scores[t] = sum_over(d, [&](int64_t i, auto part, Vector sum) HWY_ATTR {
      return hn::MulAdd(load(q + i, part), load(keys + t * d + i, part), sum);
    });
  }
}

// y += sum over t of weights[t] * value t, for the n values of one block. Four vectors of y at a
// time stay in registers.
HWY_INLINE void mix_block(const float* weights, const float* values, int64_t n, int64_t d,
                          float* y) {
  int64_t i = 0;
  for (; i + 4 * kLanes <= d; i += 4 * kLanes) {
    Vector y0 = hn::LoadU(kTag, y + i);
    Vector y1 = hn::LoadU(kTag, y + i + kLanes);
    Vector y2 = hn::LoadU(kTag, y + i + 2 * kLanes);
    Vector y3 = hn::LoadU(kTag, y + i + 3 * kLanes);
    for (int64_t t = 0; t < n; ++t) {
      const float* v = values + t * d + i;
      const Vector w = hn::Set(kTag, weights[t]);
      y0 = hn::MulAdd(w, hn::LoadU(kTag, v), y0);
      y1 = hn::MulAdd(w, hn::LoadU(kTag, v + kLanes), y1);
      y2 = hn::MulAdd(w, hn::LoadU(kTag, v + 2 * kLanes), y2);
      y3 = hn::MulAdd(w, hn::LoadU(kTag, v + 3 * kLanes), y3);
    }
    hn::StoreU(y0, kTag, y + i);
    hn::StoreU(y1, kTag, y + i + kLanes);
    hn::StoreU(y2, kTag, y + i + 2 * kLanes);
    hn::StoreU(y3, kTag, y + i + 3 * kLanes);
  }
  for_lanes(d - i, [&](int64_t j, auto part) HWY_ATTR {
    Vector sum = load(y + i + j, part);
    for (int64_t t = 0; t < n; ++t)
      sum = hn::MulAdd(hn::Set(kTag, weights[t]), load(values + t * d + i + j, part), sum);
    store(sum, y + i + j, part);
  });
}

// Scores to exp(scale (score - max)); returns the inverse of their sum.
HWY_INLINE float soften(float* s, int64_t n, float scale) {
  float top = s[0];
  for (int64_t i = 1; i < n; ++i) top = std::max(top, s[i]);
  const Vector by = hn::Set(kTag, scale);
  const Vector shift = hn::Set(kTag, -top * scale);
  return 1 / sum_over(n, [&](int64_t i, auto part, Vector total) HWY_ATTR {
           Vector e = exp_of(hn::MulAdd(load(s + i, part), by, shift));
           store(e, s + i, part);
           if constexpr (std::is_same_v<decltype(part), Part>)
             e = hn::IfThenElseZero(hn::FirstN(kTag, static_cast<size_t>(part.n)), e);
           return hn::Add(total, e);
         });
}

// The query heads of one kv head for one row at `position`. q and y point at the group's first
// head; scores: group * (position + 1) floats.
void attend_paged(const float* q, const int32_t* table, int64_t position, int64_t kv_head,
                  const AttentionShape& shape, const PagedKv& kv, float* y, float* scores) {
  const int64_t d = shape.head_dim;
  const int64_t group = shape.heads / shape.kv_heads;
  const int64_t tokens = position + 1;
  const auto block_at = [&](const float* pool, int64_t t) HWY_ATTR {
    return pool + (table[t / kv.block_tokens] * shape.kv_heads + kv_head) * kv.block_tokens * d;
  };
  for (int64_t t = 0; t < tokens; t += kv.block_tokens) {
    const int64_t n = std::min(kv.block_tokens, tokens - t);
    for (int64_t h = 0; h < group; ++h)
      score_block(q + h * d, block_at(kv.k_pool, t), n, d, scores + h * tokens + t);
  }
  for (int64_t h = 0; h < group; ++h) {
    float* weights = scores + h * tokens;
    const Vector by = hn::Set(kTag, soften(weights, tokens, shape.scale));
    for_lanes(tokens, [&](int64_t i, auto part) HWY_ATTR {
      store(hn::Mul(load(weights + i, part), by), weights + i, part);
    });
  }
  std::fill_n(y, group * d, 0.0f);
  for (int64_t t = 0; t < tokens; t += kv.block_tokens) {
    const int64_t n = std::min(kv.block_tokens, tokens - t);
    for (int64_t h = 0; h < group; ++h)
      mix_block(scores + h * tokens + t, block_at(kv.v_pool, t), n, d, y + h * d);
  }
}

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace plinth::tensor::cpu {
namespace {

HWY_EXPORT(attend_paged);

}  // namespace

void store_kv(ConstMatrix k, ConstMatrix v, std::span<const int32_t* const> tables,
              std::span<const int32_t> positions, const AttentionShape& shape, PagedKv kv) {
  const int64_t d = shape.head_dim;
  parallel(k.rows, row_grain(k.cols), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t block = tables[r][positions[r] / kv.block_tokens];
      for (int64_t head = 0; head < shape.kv_heads; ++head) {
        const int64_t slot = positions[r] % kv.block_tokens;
        const int64_t to = ((block * shape.kv_heads + head) * kv.block_tokens + slot) * d;
        std::copy_n(k.row(r) + head * d, d, kv.k_pool + to);
        std::copy_n(v.row(r) + head * d, d, kv.v_pool + to);
      }
    }
  });
}

void paged_attention(ConstMatrix q, std::span<const int32_t* const> tables,
                     std::span<const int32_t> positions, const AttentionShape& shape, PagedKv kv,
                     Matrix y) {
  PLINTH_CHECK(shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0, "{} heads over {} kv heads",
               shape.heads, shape.kv_heads);
  const int64_t group = shape.heads / shape.kv_heads;
  parallel(q.rows * shape.kv_heads, 1, [&](int64_t begin, int64_t end) {
    thread_local Buffer scores;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t r = i / shape.kv_heads;
      const int64_t kv_head = i % shape.kv_heads;
      const int64_t first = kv_head * group * shape.head_dim;
      scores.resize(group * (int64_t{positions[r]} + 1));
      HWY_DYNAMIC_DISPATCH(attend_paged)
      (q.row(r) + first, tables[r], positions[r], kv_head, shape, kv, y.row(r) + first,
       scores.data());
    }
  });
}

}  // namespace plinth::tensor::cpu
#endif
