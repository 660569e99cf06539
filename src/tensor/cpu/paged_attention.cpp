// Attention over paged keys and values.
//
// A task is a tile of queries (the heads of one group at some consecutive positions) against spans
// of keys. Per span: keys are unpacked panel by panel, the scores of all queries are products of
// the register tile, softened in place; the values are unpacked and mixed likewise. Spans are
// joined by their maxima and sums (Milakov and Gimelshein, "Online normalizer calculation for
// softmax", 2018), always in order: who computes a span does not matter to the result.
//
// Bound: bytes of the cache for a few queries, multiply-adds beyond. With g queries per tile an
// element of the cache is unpacked once and multiplied g times.
#include "tensor/cpu/attention.h"
#include "tensor/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/cpu/paged_attention.cpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "core/check.h"
#include "tensor/cpu/kv_panels-inl.h"
#include "tensor/cpu/math-inl.h"
#include "tensor/cpu/parallel.h"
#include "tensor/cpu/row_panels-inl.h"

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

// Values unpacked at a time: with d = 64 16 KiB, which stay in L1.
inline constexpr int64_t kPiece = 64;
// Rows a power of two apart would share their cache sets.
inline constexpr int64_t kScoreStride = kSpan + 16;

constexpr int64_t round_up(int64_t n, int64_t unit) {
  return (n + unit - 1) / unit * unit;
}

// Of one query and one or more spans: the mixed values [round_up(d, kNr)], not yet divided, then
// the largest score and the sum of exp(score - largest).
int64_t partial_stride(int64_t d) {
  return round_up(d, kNr) + 16;
}

struct Tile {
  Tile(int64_t n, int64_t head_dim, float* from)
      : rows(n), d(head_dim), padded(round_up(d, kNr)), stride(partial_stride(d)) {
    q = from;
    panel = q + round_up(rows * d, 16);
    scores = panel + std::max(d * kNr, kPiece * padded);
    state = scores + rows * kScoreStride;
    next = state + rows * stride;
    size = next + rows * stride - from;
  }

  int64_t rows, d, padded, stride;
  float* q;       // [rows, d], scaled
  float* panel;   // keys [d, kNr], then values [padded / kNr, kPiece, kNr]
  float* scores;  // [rows, kScoreStride]
  float* state;   // [rows, stride] of the spans so far
  float* next;    // [rows, stride] of one more span
  int64_t size;
};

int64_t paged_scratch(int64_t rows, int64_t d) {
  float none = 0;
  return Tile(rows, d, &none).size;
}

// n scores to exp(score - max), zeros up to `end`.
HWY_INLINE void soften(float* s, int64_t n, int64_t end, float& peak, float& sum) {
  if (n <= 0) {
    std::fill_n(s, end, 0.0f);
    peak = -std::numeric_limits<float>::infinity();
    sum = 0;
    return;
  }
  Vector top = hn::Set(kTag, s[0]);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) top = hn::Max(top, hn::LoadU(kTag, s + i));
  peak = hn::GetLane(hn::MaxOfLanes(kTag, top));
  for (; i < n; ++i) peak = std::max(peak, s[i]);
  const Vector shift = hn::Set(kTag, peak);
  sum = sum_over(n, [&](int64_t j, auto part, Vector total) HWY_ATTR {
    Vector e = exp_of(hn::Sub(load(s + j, part), shift));
    store(e, s + j, part);
    if constexpr (std::is_same_v<decltype(part), Part>)
      e = hn::IfThenElseZero(hn::FirstN(kTag, static_cast<size_t>(part.n)), e);
    return hn::Add(total, e);
  });
  std::fill(s + n, s + end, 0.0f);
}

// One span for all queries of the tile; query r is at position first_position + r / group.
// While keys are multiplied the span's values are fetched, and while those are, the keys that come
// `next`: from one phase to the other is far enough for memory, and fits L2.
template <KvType kType>
void attend_span(const KvReader& kv, const Tile& tile, int64_t first_position, int64_t group,
                 int64_t span, KvAhead<kType> next, float* out) {
  const int64_t first = span * kSpan;
  const int64_t end = first_position + tile.rows / group;
  const int64_t n = std::min(kSpan, end - first);
  KvAhead<kType> values(kv, KvPart::kValues, first, first + n);
  for (int64_t c = 0; c < n; c += kNr) {
    unpack_keys<kType>(kv, first + c, std::min<int64_t>(kNr, n - c), tile.panel);
    multiply_panel(tile.rows, tile.q, tile.d, tile.panel, tile.d, tile.scores + c, kScoreStride,
                   false, [&]() HWY_ATTR { values.fetch(); });
  }
  for (int64_t r = 0; r < tile.rows; ++r) {
    float* row = out + r * tile.stride;
    soften(tile.scores + r * kScoreStride, std::min(n, first_position + r / group + 1 - first), n,
           row[tile.padded], row[tile.padded + 1]);
  }
  for (int64_t t = 0; t < n; t += kPiece) {
    const int64_t depth = std::min(kPiece, n - t);
    unpack_values<kType>(kv, first + t, depth, kPiece * kNr, tile.panel);
    for (int64_t j = 0; j < tile.padded; j += kNr)
      multiply_panel(tile.rows, tile.scores + t, kScoreStride, tile.panel + j * kPiece, depth,
                     out + j, tile.stride, t > 0, [&]() HWY_ATTR { next.fetch(); });
  }
}

// state = state and part together; rows as in Tile::state.
HWY_INLINE void join(const Tile& tile, const float* part, float* state) {
  for (int64_t r = 0; r < tile.rows; ++r, part += tile.stride, state += tile.stride) {
    const float sum = part[tile.padded + 1];
    if (sum == 0) continue;  // the span begins after this query
    float& peak = state[tile.padded];
    const float top = std::max(peak, part[tile.padded]);
    const float keep = std::exp(peak - top);
    const float take = std::exp(part[tile.padded] - top);
    peak = top;
    state[tile.padded + 1] = state[tile.padded + 1] * keep + sum * take;
    const Vector keeps = hn::Set(kTag, keep);
    const Vector takes = hn::Set(kTag, take);
    for (int64_t i = 0; i < tile.padded; i += kLanes)
      hn::StoreU(
          hn::MulAdd(hn::LoadU(kTag, part + i), takes, hn::Mul(hn::LoadU(kTag, state + i), keeps)),
          kTag, state + i);
  }
}

// y = what is mixed, divided by the sums.
HWY_INLINE void finish(const PagedCall& call, const PagedTask& task, const Tile& tile,
                       const float* state) {
  const int64_t group = call.shape.heads / call.shape.kv_heads;
  for (int64_t r = 0; r < tile.rows; ++r, state += tile.stride) {
    float* y = call.y.row(task.row + r / group) + (task.kv_head * group + r % group) * tile.d;
    const Vector by = hn::Set(kTag, 1 / state[tile.padded + 1]);
    for_lanes(tile.d, [&](int64_t i, auto part) HWY_ATTR {
      store(hn::Mul(hn::LoadU(kTag, state + i), by), y + i, part);
    });
  }
}

// The keys of one span of a task.
template <KvType kType>
KvAhead<kType> keys_of(const PagedCall& call, const PagedTask& task, int64_t span) {
  const int64_t end = call.positions[task.row + task.rows - 1] + 1;
  return {KvReader(call, call.tables[task.row], task.kv_head), KvPart::kKeys, span * kSpan,
          std::min((span + 1) * kSpan, end)};
}

template <KvType kType>
void attend_spans(const PagedCall& call, const PagedTask& task, const PagedTask& after,
                  const Tile& tile, float* partials) {
  const KvReader kv(call, call.tables[task.row], task.kv_head);
  const int64_t group = call.shape.heads / call.shape.kv_heads;
  for (int64_t span = task.span; span < task.span_end; ++span) {
    float* out = span == 0 ? tile.state : tile.next;
    if (partials != nullptr) out = partials + span * tile.rows * tile.stride;
    const auto next = span + 1 < task.span_end ? keys_of<kType>(call, task, span + 1)
                                               : keys_of<kType>(call, after, after.span);
    attend_span<kType>(kv, tile, call.positions[task.row], group, span, next, out);
    if (partials == nullptr && span > 0) join(tile, tile.next, tile.state);
  }
  if (partials == nullptr) finish(call, task, tile, tile.state);
}

// after: what this thread will most likely do next. scratch: paged_scratch() floats. partials: of
// the task's tile, or null.
void attend_paged(const PagedCall& call, const PagedTask& task, const PagedTask& after,
                  float* scratch, float* partials) {
  const int64_t d = call.shape.head_dim;
  const int64_t group = call.shape.heads / call.shape.kv_heads;
  const Tile tile(task.rows * group, d, scratch);
  const Vector by = hn::Set(kTag, call.shape.scale);
  for (int64_t r = 0; r < tile.rows; ++r) {
    const float* q = call.q.row(task.row + r / group) + (task.kv_head * group + r % group) * d;
    for_lanes(d, [&](int64_t i, auto part)
                     HWY_ATTR { store(hn::Mul(load(q + i, part), by), tile.q + r * d + i, part); });
  }
  switch (call.kv.type) {
    case KvType::kF32:
      return attend_spans<KvType::kF32>(call, task, after, tile, partials);
    case KvType::kF16:
      return attend_spans<KvType::kF16>(call, task, after, tile, partials);
    case KvType::kQ8:
      return attend_spans<KvType::kQ8>(call, task, after, tile, partials);
  }
}

// What the tasks of one tile left, joined in order. task: spans [0, all).
void join_paged(const PagedCall& call, const PagedTask& task, float* partials) {
  const int64_t group = call.shape.heads / call.shape.kv_heads;
  const Tile tile(task.rows * group, call.shape.head_dim, partials);  // for its numbers only
  for (int64_t span = 1; span < task.span_end; ++span)
    join(tile, partials + span * tile.rows * tile.stride, partials);
  finish(call, task, tile, partials);
}

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace plinth::tensor::cpu {
namespace {

HWY_EXPORT(partial_stride);
HWY_EXPORT(paged_scratch);
HWY_EXPORT(attend_paged);
HWY_EXPORT(join_paged);

// Floats of partial results that a call may hold (16 MiB): beyond, tiles are not split.
constexpr int64_t kPartialsMax = int64_t{4} << 20;

// What a call does, in two loops: all tasks, then one join for each tile that was split.
struct PagedPlan {
  std::vector<PagedTask> tasks;
  std::vector<PagedTask> joins;
  int64_t partials = 0;   // floats
  int64_t tile_rows = 0;  // the largest
};

int64_t spans_to(int64_t position) {
  return position / kSpan + 1;
}

// Rows from r on that make a tile: of one sequence, at consecutive positions.
int64_t tile_at(const PagedCall& call, int64_t r, int64_t rows_max) {
  int64_t n = 1;
  while (n < rows_max && r + n < call.q.rows && call.tables[r + n] == call.tables[r] &&
         call.positions[r + n] == call.positions[r] + n)
    ++n;
  return n;
}

// The time of one span, in query rows: reading and unpacking it costs about as much as 16 of them.
int64_t span_cost(int64_t rows) {
  return 16 + rows;
}

void make_plan(const PagedCall& call, int64_t stride, PagedPlan& plan) {
  plan.tasks.clear();
  plan.joins.clear();
  plan.partials = plan.tile_rows = 0;
  const int64_t group = call.shape.heads / call.shape.kv_heads;
  const int64_t rows_max = std::max<int64_t>(1, kTileRows / group);
  int64_t total = 0;
  for (int64_t r = 0, n = 0; r < call.q.rows; r += n) {
    n = tile_at(call, r, rows_max);
    total += spans_to(call.positions[r + n - 1]) * span_cost(n * group) * call.shape.kv_heads;
  }
  // Small enough that four tasks for each thread come out even.
  const int64_t share = total / (4 * compute_pool().threads()) + 1;
  for (int64_t r = 0, n = 0; r < call.q.rows; r += n) {
    n = tile_at(call, r, rows_max);
    plan.tile_rows = std::max(plan.tile_rows, n * group);
    const int64_t spans = spans_to(call.positions[r + n - 1]);
    const int64_t step = std::max<int64_t>(1, share / span_cost(n * group));
    const int64_t floats = spans * n * group * stride;
    for (int64_t head = 0; head < call.shape.kv_heads; ++head) {
      if (spans <= step || plan.partials + floats > kPartialsMax) {
        plan.tasks.push_back({r, n, head, 0, spans});
        continue;
      }
      plan.joins.push_back({r, n, head, 0, spans, plan.partials});
      for (int64_t span = 0; span < spans; span += step)
        plan.tasks.push_back({r, n, head, span, std::min(spans, span + step), plan.partials});
      plan.partials += floats;
    }
  }
}

}  // namespace

void store_kv(ConstMatrix k, ConstMatrix v, std::span<const int32_t* const> tables,
              std::span<const int32_t> positions, const AttentionShape& shape, PagedKv kv) {
  parallel(k.rows, row_grain(4 * k.cols), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) store_kv_row(k, v, r, tables[r], positions[r], shape, kv);
  });
}

void paged_attention(ConstMatrix q, std::span<const int32_t* const> tables,
                     std::span<const int32_t> positions, const AttentionShape& shape, PagedKv kv,
                     Matrix y) {
  PLINTH_CHECK(shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0, "{} heads over {} kv heads",
               shape.heads, shape.kv_heads);
  const PagedCall call = {
      q, tables, positions, shape, kv, kv_head_bytes(kv.type, shape.head_dim, kv.block_tokens), y};
  thread_local PagedPlan todo;
  thread_local Buffer partials;
  make_plan(call, HWY_DYNAMIC_DISPATCH(partial_stride)(shape.head_dim), todo);
  partials.resize(todo.partials);
  const int64_t floats = HWY_DYNAMIC_DISPATCH(paged_scratch)(todo.tile_rows, shape.head_dim);
  // The loops' other threads must not see their own.
  const PagedPlan& shared = todo;
  float* const left = partials.data();
  const auto at = [left](const PagedTask& task) {
    return task.partials < 0 ? nullptr : left + task.partials;
  };
  const int64_t threads = compute_pool().threads();
  const int64_t tasks = std::ssize(shared.tasks);
  parallel(tasks, 1, [&](int64_t begin, int64_t end) {
    thread_local Buffer scratch;
    scratch.resize(floats);
    for (int64_t i = begin; i < end; ++i) {
      const PagedTask& task = shared.tasks[static_cast<size_t>(i)];
      // Each of the others takes one in the meantime.
      const PagedTask& after = shared.tasks[static_cast<size_t>(std::min(i + threads, tasks - 1))];
      HWY_DYNAMIC_DISPATCH(attend_paged)(call, task, after, scratch.data(), at(task));
    }
  });
  parallel(std::ssize(shared.joins), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const PagedTask& task = shared.joins[static_cast<size_t>(i)];
      HWY_DYNAMIC_DISPATCH(join_paged)(call, task, at(task));
    }
  });
}

}  // namespace plinth::tensor::cpu
#endif
