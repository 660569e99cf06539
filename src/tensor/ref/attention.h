// Causal attention: packed batches forward and backward, and paged. Shapes as in ops.h.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "tensor/kv_cache.h"
#include "tensor/ops.h"
#include "tensor/ref/view.h"

namespace plinth::tensor::ref {

template <typename T>
double dot(const T* a, const T* b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += double(a[i]) * double(b[i]);
  return sum;
}

// Turns scores into probabilities; returns the log of the softmax denominator.
inline double softmax(std::vector<double>& scores) {
  const double peak = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (double& s : scores) sum += s = std::exp(s - peak);
  for (double& s : scores) s /= sum;
  return peak + std::log(sum);
}

// Calls body(segment begin, segment end, row, head) for every query of the batch.
template <typename Body>
void for_each_query(std::span<const int32_t> starts, int64_t heads, const Body& body) {
  for (size_t s = 0; s + 1 < starts.size(); ++s) {
    for (int64_t row = starts[s]; row < starts[s + 1]; ++row) {
      for (int64_t head = 0; head < heads; ++head) body(int64_t{starts[s]}, row, head);
    }
  }
}

template <typename T>
void attention(View<const T> q, View<const T> k, View<const T> v, std::span<const int32_t> starts,
               const AttentionShape& shape, View<T> y, View<T> lse) {
  const int64_t d = shape.head_dim;
  for_each_query(starts, shape.heads, [&](int64_t begin, int64_t row, int64_t head) {
    const int64_t kv = head / (shape.heads / shape.kv_heads) * d;
    std::vector<double> p(row - begin + 1);
    for (int64_t t = begin; t <= row; ++t)
      p[t - begin] = dot(q.row(row) + head * d, k.row(t) + kv, d) * double(shape.scale);
    lse.at(row, head) = static_cast<T>(softmax(p));
    for (int64_t i = 0; i < d; ++i) {
      double sum = 0;
      for (int64_t t = begin; t <= row; ++t) sum += p[t - begin] * double(v.at(t, kv + i));
      y.at(row, head * d + i) = static_cast<T>(sum);
    }
  });
}

// With p = exp(scale q.k - lse), dp = dy.v and delta = dy.y = sum p dp:
//   dv += p dy,  ds = p (dp - delta) scale,  dq += ds k,  dk += ds q.
template <typename T>
void attention_backward(View<const T> q, View<const T> k, View<const T> v, View<const T> y,
                        View<const T> lse, View<const T> dy, std::span<const int32_t> starts,
                        const AttentionShape& shape, View<T> dq, View<T> dk, View<T> dv) {
  const int64_t d = shape.head_dim;
  const int64_t kv_cols = shape.kv_heads * d;
  std::vector<double> dk_sum(k.rows * kv_cols);
  std::vector<double> dv_sum(k.rows * kv_cols);
  std::vector<double> dq_sum(d);
  for_each_query(starts, shape.heads, [&](int64_t begin, int64_t row, int64_t head) {
    const int64_t kv = head / (shape.heads / shape.kv_heads) * d;
    const T* query = q.row(row) + head * d;
    const T* dout = dy.row(row) + head * d;
    const double delta = dot(dout, y.row(row) + head * d, d);
    std::fill(dq_sum.begin(), dq_sum.end(), 0.0);
    for (int64_t t = begin; t <= row; ++t) {
      const double scale = shape.scale;
      const double p = std::exp(dot(query, k.row(t) + kv, d) * scale - double(lse.at(row, head)));
      const double ds = p * (dot(dout, v.row(t) + kv, d) - delta) * scale;
      for (int64_t i = 0; i < d; ++i) {
        dv_sum[t * kv_cols + kv + i] += p * double(dout[i]);
        dk_sum[t * kv_cols + kv + i] += ds * double(query[i]);
        dq_sum[i] += ds * double(k.at(t, kv + i));
      }
    }
    for (int64_t i = 0; i < d; ++i) dq.at(row, head * d + i) = static_cast<T>(dq_sum[i]);
  });
  for (int64_t r = 0; r < k.rows; ++r) {
    for (int64_t i = 0; i < kv_cols; ++i) {
      dk.at(r, i) = static_cast<T>(dk_sum[r * kv_cols + i]);
      dv.at(r, i) = static_cast<T>(dv_sum[r * kv_cols + i]);
    }
  }
}

inline void store_kv(View<const float> k, View<const float> v,
                     std::span<const int32_t* const> tables, std::span<const int32_t> positions,
                     const AttentionShape& shape, PagedKv kv) {
  for (int64_t r = 0; r < k.rows; ++r)
    store_kv_row({k.data, k.rows, k.cols, k.stride}, {v.data, v.rows, v.cols, v.stride}, r,
                 tables[r], positions[r], shape, kv);
}

inline void paged_attention(View<const float> q, std::span<const int32_t* const> tables,
                            std::span<const int32_t> positions, const AttentionShape& shape,
                            PagedKv kv, View<float> y) {
  const int64_t d = shape.head_dim;
  const int64_t bytes = kv_head_bytes(kv.type, d, kv.block_tokens);
  std::vector<float> x(d);
  for (int64_t r = 0; r < q.rows; ++r) {
    for (int64_t head = 0; head < shape.heads; ++head) {
      const int64_t kv_head = head / (shape.heads / shape.kv_heads);
      const int64_t tokens = int64_t{positions[r]} + 1;
      const auto offset = [&](int64_t t) {
        return (tables[r][t / kv.block_tokens] * shape.kv_heads + kv_head) * bytes;
      };
      std::vector<double> p(tokens);
      std::vector<double> out(d);
      for (int64_t t = 0; t < tokens; ++t) {
        read_kv(kv.k_pool + offset(t), d, kv.block_tokens, kv.type,
                key_slot(t % kv.block_tokens, kv.block_tokens), x.data());
        p[t] = dot(q.row(r) + head * d, x.data(), d) * double(shape.scale);
      }
      softmax(p);
      for (int64_t t = 0; t < tokens; ++t) {
        read_kv(kv.v_pool + offset(t), d, kv.block_tokens, kv.type,
                value_slot(t % kv.block_tokens, d), x.data());
        for (int64_t i = 0; i < d; ++i) out[i] += p[t] * double(x[i]);
      }
      for (int64_t i = 0; i < d; ++i) y.at(r, head * d + i) = static_cast<float>(out[i]);
    }
  }
}

}  // namespace plinth::tensor::ref
