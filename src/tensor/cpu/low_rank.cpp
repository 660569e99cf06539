// y += scale * (x A^T) B^T for many segments.
//
// First x A^T: dots along the inputs, as in decoding. Then B: its rows are short (the rank), so the
// outputs become lanes: rows that don't come interleaved are turned. Bound: for a few rows per
// segment the bytes of A and B, which are read once, in order.
//
// With segments enough for all threads each is one task from x to y; the others are split by rank,
// then by outputs. Neither changes a sum.
#include "tensor/cpu/low_rank.h"

#include "tensor/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/cpu/low_rank.cpp"

#include <algorithm>
#include <vector>

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
  return 2 * kNr * rank + kMr * kNr;
}

// y[:, begin .. end) += low [rows, rank] . b^T. scratch: low_rank_scratch() floats.
void add_outputs(ConstMatrix low, const Weight& b, Matrix y, int64_t begin, int64_t end,
                 float* scratch) {
  const int64_t rank = b.cols;
  const size_t bytes = row_bytes(b.type, rank);
  float* const rows = scratch;
  float* const panel = rows + kNr * rank;
  float* const edge = panel + kNr * rank;
  for (int64_t n = begin; n < end; n += kNr) {
    const int64_t width = std::min<int64_t>(kNr, end - n);
    const auto* stored = static_cast<const uint8_t*>(b.data) + bytes * n;
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

// Rows of A, and of B, that are one piece of a segment. Both multiples of every tile, so that
// pieces end where panels do.
constexpr int64_t kRankPiece = 16;
constexpr int64_t kOutputPiece = 256;

struct Piece {
  size_t segment;
  int64_t begin;
};

// One segment with the place of its x A^T.
struct Work {
  ConstMatrix x;
  const LowRankSegment& segment;
  Matrix y;
  Matrix low;

  void project(int64_t begin, int64_t end) const {
    const Weight& a = segment.a;
    const Weight part = {static_cast<const uint8_t*>(a.data) + row_bytes(a.type, a.cols) * begin,
                         a.type, end - begin, a.cols};
    const Matrix out = {low.data + begin, low.rows, end - begin, low.stride};
    linear_by_dots(x, part, out, false);
    for (int64_t r = 0; r < out.rows; ++r)
      for (int64_t i = 0; i < out.cols; ++i) out.row(r)[i] *= segment.scale;
  }

  void expand(int64_t begin, int64_t end) const {
    thread_local Buffer scratch;
    scratch.resize(HWY_DYNAMIC_DISPATCH(low_rank_scratch)(segment.b.cols));
    HWY_DYNAMIC_DISPATCH(add_outputs)(low, segment.b, y, begin, end, scratch.data());
  }
};

std::vector<Piece>& cut(std::span<const LowRankSegment> segments, Weight LowRankSegment::*matrix,
                        int64_t rows) {
  thread_local std::vector<Piece> pieces;
  pieces.clear();
  for (size_t s = 0; s < segments.size(); ++s) {
    for (int64_t begin = 0; begin < (segments[s].*matrix).rows; begin += rows)
      pieces.push_back({s, begin});
  }
  return pieces;
}

// Each segment alone is less than half of a thread's share.
bool even(std::span<const LowRankSegment> segments) {
  int64_t all = 0;
  int64_t most = 0;
  for (const auto& segment : segments) {
    const int64_t work = (segment.rows + 4) * segment.a.rows;
    all += work;
    most = std::max(most, work);
  }
  return 2 * most * compute_pool().threads() <= all;
}

}  // namespace

int low_rank_panel() {
  return HWY_DYNAMIC_DISPATCH(low_rank_lanes)();
}

void low_rank(ConstMatrix x, std::span<const LowRankSegment> segments, Matrix y) {
  thread_local Buffer projected;
  int64_t floats = 0;
  for (const auto& s : segments) {
    PLINTH_CHECK(s.a.cols == x.cols && s.b.rows == y.cols && s.a.rows == s.b.cols && s.begin >= 0 &&
                     s.begin + s.rows <= x.rows && x.rows == y.rows,
                 "low_rank: x [{}, {}], y [{}, {}], rows {}..{}, a [{}, {}], b [{}, {}]", x.rows,
                 x.cols, y.rows, y.cols, s.begin, s.begin + s.rows, s.a.rows, s.a.cols, s.b.rows,
                 s.b.cols);
    PLINTH_CHECK(s.a.panel == 0 && (s.b.panel == 0 || s.b.panel == low_rank_panel()),
                 "low_rank: a in panels of {}, b of {}", s.a.panel, s.b.panel);
    floats += s.rows * s.a.rows;
  }
  projected.resize(floats);
  thread_local std::vector<int64_t> offsets;
  offsets.clear();
  floats = 0;
  for (const auto& s : segments) {
    offsets.push_back(floats);
    floats += s.rows * s.a.rows;
  }
  const auto work = [&, low = projected.data(), offset = offsets.data()](size_t i) {
    const LowRankSegment& s = segments[i];
    return Work{x.slice(s.begin, s.rows), s, y.slice(s.begin, s.rows),
                matrix(low + offset[i], s.rows, s.a.rows)};
  };
  if (even(segments)) {
    parallel(std::ssize(segments), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const Work one = work(static_cast<size_t>(i));
        one.project(0, one.segment.a.rows);
        one.expand(0, one.segment.b.rows);
      }
    });
    return;
  }
  const auto each = [&](Weight LowRankSegment::*matrix, int64_t rows, auto body) {
    const std::vector<Piece>& pieces = cut(segments, matrix, rows);
    parallel(std::ssize(pieces), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const Piece& piece = pieces[static_cast<size_t>(i)];
        const int64_t last = (segments[piece.segment].*matrix).rows;
        body(work(piece.segment), piece.begin, std::min(last, piece.begin + rows));
      }
    });
  };
  each(&LowRankSegment::a, kRankPiece,
       [](const Work& one, int64_t begin, int64_t end) { one.project(begin, end); });
  each(&LowRankSegment::b, kOutputPiece,
       [](const Work& one, int64_t begin, int64_t end) { one.expand(begin, end); });
}

}  // namespace plinth::tensor::cpu
#endif
