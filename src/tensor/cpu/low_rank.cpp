// y += scale * (x A^T) B^T for many segments.
//
// First x A^T: dots along the inputs, as in decoding. Then B: its rows are short (the rank), so the
// outputs become lanes: rows that don't come interleaved are turned. Bound: for a few rows per
// segment the bytes of A and B, which are read once, in order; what a task reads next is fetched.
//
// With rows of x enough for all threads all segments of some rows are one task from x to y; the
// others are split by rank, then by outputs. Neither changes a sum.
#include "tensor/cpu/low_rank.h"

#include "tensor/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/cpu/low_rank.cpp"

#include <algorithm>
#include <vector>

#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "core/check.h"
#include "tensor/cpu/decode-inl.h"
#include "tensor/cpu/dot.h"
#include "tensor/cpu/parallel.h"
#include "tensor/cpu/row_panels-inl.h"

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

int low_rank_lanes() {
  return kNr;
}

int64_t low_rank_scratch(int64_t rank) {
  return std::max<int64_t>(2 * kNr, kBlock) * rank + kMr * kNr;
}

#if HWY_TARGET != HWY_SCALAR
// y[0, kBlock) += low [rank] . b, whose columns' blocks of these outputs follow each other. The
// bits are those of a product with the floats that they decode to. As many bytes are fetched from
// `ahead` on.
HWY_INLINE void add_blocks(const float* low, const uint8_t* blocks, int64_t rank, float* y,
                           const uint8_t* ahead) {
  constexpr int kVectors = kBlock / kLanes;
  constexpr auto kUnit = static_cast<int64_t>(traits(DType::kQ8_0).bytes);
  const hn::Rebind<int8_t, Tag> small;
  const hn::Rebind<int32_t, Tag> wide;
  Vector sum[kVectors];
  for (int v = 0; v < kVectors; ++v) sum[v] = hn::Zero(kTag);
  for (int64_t r = 0; r < rank; ++r, blocks += kUnit, ahead += kUnit) {
    hwy::Prefetch(ahead);
    const Vector scale = hn::Set(kTag, half_at(blocks));
    const Vector factor = hn::Set(kTag, low[r]);
    for (int v = 0; v < kVectors; ++v) {
      const auto* codes = reinterpret_cast<const int8_t*>(blocks + 2 + v * kLanes);
      const Vector code = hn::ConvertTo(kTag, hn::PromoteTo(wide, hn::LoadU(small, codes)));
      sum[v] = hn::MulAdd(factor, hn::Mul(code, scale), sum[v]);
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    float* const out = y + v * kLanes;
    hn::StoreU(hn::Add(sum[v], hn::LoadU(kTag, out)), kTag, out);
  }
}
#endif

// add_outputs for a turned B. begin and end are multiples of kBlock.
void add_turned(ConstMatrix low, const Weight& b, Matrix y, int64_t begin, int64_t end,
                const Ahead& ahead, float* scratch) {
  const auto bytes = static_cast<int64_t>(row_bytes(b.type, b.cols));
  const auto* stored = static_cast<const uint8_t*>(b.data) + begin / kBlock * bytes;
  for (int64_t n = begin; n < end; n += kBlock, stored += bytes) {
#if HWY_TARGET != HWY_SCALAR
    if (low.rows == 1) {
      add_blocks(low.data, stored, low.cols, y.data + n, ahead.from(stored));
      continue;
    }
#endif
    ahead.fetch(stored, bytes);
    decode(stored, b.type, 0, b.cols, scratch);
    for (int64_t i = 0; i < kBlock; i += kNr)
      multiply_panel<kBlock>(low.rows, low.data, low.stride, scratch + i, low.cols, y.data + n + i,
                             y.stride, true);
  }
}

// y[:, begin .. end) += low [rows, rank] . b^T. scratch: low_rank_scratch() floats.
void add_outputs(ConstMatrix low, const Weight& b, Matrix y, int64_t begin, int64_t end,
                 const Ahead& ahead, float* scratch) {
  const int64_t rank = b.cols;
  const auto bytes = static_cast<int64_t>(row_bytes(b.type, rank));
  float* const rows = scratch;
  float* const panel = rows + kNr * rank;
  float* const edge = panel + kNr * rank;
  for (int64_t n = begin; n < end; n += kNr) {
    const int64_t width = std::min<int64_t>(kNr, end - n);
    const auto* stored = static_cast<const uint8_t*>(b.data) + bytes * n;
    ahead.fetch(stored, bytes * width);
    if (b.panel != 0) {
      decode(stored, b.type, 0, kNr * rank, panel);
    } else {
      decode(stored, b.type, 0, width * rank, rows);
      pack_turned<kNr>(rows, rank, width, rank, panel);
    }
    if (width == kNr) {
      multiply_panel(low.rows, low.data, low.stride, panel, rank, y.data + n, y.stride, true);
      continue;
    }
    for (int64_t r = 0; r < low.rows; ++r) {
      multiply_rows<1>(low.row(r), low.stride, panel, rank, edge, kNr, false);
      for (int64_t j = 0; j < width; ++j) y.row(r)[n + j] += edge[j];
    }
  }
}

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace plinth::tensor::cpu {
namespace {

HWY_EXPORT(low_rank_lanes);
HWY_EXPORT(low_rank_scratch);
HWY_EXPORT(add_outputs);
HWY_EXPORT(add_turned);

// Rows of A, and of B, that are one piece of a segment. Both multiples of every tile, so that
// pieces end where panels do.
constexpr int64_t kRankPiece = 4;
constexpr int64_t kOutputPiece = 256;
// Tasks of runs of segments for each thread, about: so many that threads end together.
constexpr int64_t kTasksOfThread = 4;

struct Piece {
  size_t segment;
  int64_t begin;
};

int64_t rank_of(const LowRankSegment& segment) {
  return segment.a.rows;
}

int64_t outputs_of(const LowRankSegment& segment) {
  return segment.turned ? segment.b.rows * kBlock : segment.b.rows;
}

// One segment with the place of its x A^T.
struct Work {
  ConstMatrix x;
  const LowRankSegment& segment;
  Matrix y;
  Matrix low;

  // Columns [begin, end) of low.
  void project(int64_t begin, int64_t end, const Ahead& ahead) const {
    const Weight& a = segment.a;
    const Weight part = {static_cast<const uint8_t*>(a.data) + row_bytes(a.type, a.cols) * begin,
                         a.type, end - begin, a.cols};
    const Matrix out = {low.data + begin, low.rows, end - begin, low.stride};
    linear_by_dots(x, part, out, false, ahead);
    for (int64_t r = 0; r < out.rows; ++r)
      for (int64_t i = 0; i < out.cols; ++i) out.row(r)[i] *= segment.scale;
  }

  // y[:, begin .. end) += low . b^T
  void expand(int64_t begin, int64_t end, const Ahead& ahead) const {
    thread_local Buffer scratch;
    scratch.resize(HWY_DYNAMIC_DISPATCH(low_rank_scratch)(low.cols));
    if (segment.turned)
      return HWY_DYNAMIC_DISPATCH(add_turned)(low, segment.b, y, begin, end, ahead, scratch.data());
    HWY_DYNAMIC_DISPATCH(add_outputs)(low, segment.b, y, begin, end, ahead, scratch.data());
  }
};

// Pieces of `size` of what each segment has `count` of.
std::vector<Piece>& cut(std::span<const LowRankSegment> segments,
                        int64_t (*count)(const LowRankSegment&), int64_t size) {
  thread_local std::vector<Piece> pieces;
  pieces.clear();
  for (size_t s = 0; s < segments.size(); ++s) {
    for (int64_t begin = 0; begin < count(segments[s]); begin += size) pieces.push_back({s, begin});
  }
  return pieces;
}

// Where runs of segments of the same rows begin, and the end of all.
std::vector<int64_t>& runs_of(std::span<const LowRankSegment> segments) {
  thread_local std::vector<int64_t> runs;
  runs.clear();
  for (size_t s = 0; s < segments.size(); ++s)
    if (s == 0 || segments[s].begin != segments[s - 1].begin)
      runs.push_back(static_cast<int64_t>(s));
  runs.push_back(std::ssize(segments));
  return runs;
}

// Runs that are one task, or 0 where one alone is more than half of a thread's share.
int64_t runs_of_task(std::span<const LowRankSegment> segments, std::span<const int64_t> runs) {
  int64_t all = 0;
  int64_t most = 0;
  for (size_t i = 0; i + 1 < runs.size(); ++i) {
    int64_t work = 0;
    for (int64_t s = runs[i]; s < runs[i + 1]; ++s) {
      const LowRankSegment& segment = segments[static_cast<size_t>(s)];
      work += (segment.rows + 4) * rank_of(segment) * (segment.a.cols + outputs_of(segment));
    }
    all += work;
    most = std::max(most, work);
  }
  const int64_t threads = compute_pool().threads();
  if (most == 0 || 2 * most * threads > all) return 0;
  return std::max<int64_t>(1, all / (kTasksOfThread * threads * most));
}

void check(ConstMatrix x, const LowRankSegment& s) {
  const int64_t rank_of_b = s.turned ? s.b.cols / kBlock : s.b.cols;
  PLINTH_CHECK(s.a.cols == x.cols && outputs_of(s) == s.y.cols && rank_of(s) == rank_of_b &&
                   s.begin >= 0 && s.begin + s.rows <= x.rows && x.rows == s.y.rows,
               "low_rank: x [{}, {}], y [{}, {}], rows {}..{}, a [{}, {}], b [{}, {}]{}", x.rows,
               x.cols, s.y.rows, s.y.cols, s.begin, s.begin + s.rows, s.a.rows, s.a.cols, s.b.rows,
               s.b.cols, s.turned ? ", turned" : "");
  PLINTH_CHECK(!s.turned || (s.b.type == DType::kQ8_0 && s.b.panel == 0),
               "low_rank: a turned b of {} in panels of {}", dtype_name(s.b.type), s.b.panel);
  PLINTH_CHECK(s.a.panel == 0 && (s.b.panel == 0 || s.b.panel == low_rank_panel()),
               "low_rank: a in panels of {}, b of {}", s.a.panel, s.b.panel);
}

}  // namespace

int low_rank_panel() {
  return HWY_DYNAMIC_DISPATCH(low_rank_lanes)();
}

void low_rank(ConstMatrix x, std::span<const LowRankSegment> segments) {
  thread_local Buffer projected;
  thread_local std::vector<int64_t> offsets;
  offsets.clear();
  int64_t floats = 0;
  for (const auto& s : segments) {
    check(x, s);
    offsets.push_back(floats);
    floats += s.rows * rank_of(s);
  }
  projected.resize(floats);
  const auto work = [&, low = projected.data(), offset = offsets.data()](size_t i) {
    const LowRankSegment& s = segments[i];
    return Work{x.slice(s.begin, s.rows), s, s.y.slice(s.begin, s.rows),
                matrix(low + offset[i], s.rows, rank_of(s))};
  };
  const std::vector<int64_t>& runs = runs_of(segments);
  if (const int64_t grain = runs_of_task(segments, runs); grain > 0) {
    parallel(std::ssize(runs) - 1, grain, [&](int64_t begin, int64_t end) {
      const auto last = static_cast<size_t>(runs[end]);
      for (auto i = static_cast<size_t>(runs[begin]); i < last; ++i) {
        const Work one = work(i);
        const LowRankSegment& s = one.segment;
        one.project(0, rank_of(s), Ahead(s.a, s.b));
        one.expand(0, outputs_of(s), i + 1 < last ? Ahead(s.b, segments[i + 1].a) : Ahead());
      }
    });
    return;
  }
  const auto each = [&](int64_t (*count)(const LowRankSegment&), int64_t size, auto body) {
    const std::vector<Piece>& pieces = cut(segments, count, size);
    parallel(std::ssize(pieces), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const Piece& piece = pieces[static_cast<size_t>(i)];
        const int64_t last = count(segments[piece.segment]);
        body(work(piece.segment), piece.begin, std::min(last, piece.begin + size));
      }
    });
  };
  each(rank_of, kRankPiece,
       [](const Work& one, int64_t begin, int64_t end) { one.project(begin, end, Ahead()); });
  each(outputs_of, kOutputPiece,
       [](const Work& one, int64_t begin, int64_t end) { one.expand(begin, end, Ahead()); });
}

}  // namespace plinth::tensor::cpu
#endif
