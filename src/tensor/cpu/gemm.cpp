#include "tensor/cpu/gemm_types.h"
#include "tensor/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/cpu/gemm.cpp"

#include <unistd.h>

#include <algorithm>
#include <vector>

#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tensor/cpu/decode-inl.h"
#include "tensor/cpu/gemm_kernel-inl.h"
#include "tensor/cpu/parallel.h"
#include "tensor/cpu/row_part.h"
#include "tensor/cpu/shares.h"
#include "tensor/cpu/upcoming.h"

#ifndef PLINTH_TENSOR_CPU_GEMM_ONCE_
#define PLINTH_TENSOR_CPU_GEMM_ONCE_

namespace plinth::tensor::cpu {

// One packed panel of B is kDepthBlock x kNr floats: 16 KiB with AVX2, 32 KiB with AVX-512. It
// stays in L1 (32 and 48 KiB) while all rows of a task pass over it.
constexpr int64_t kDepthBlock = 256;
// Tiles of this depth or less are multiplied sooner than C comes from L3: of C the same tile of the
// next panel is fetched, not the tile itself.
constexpr int64_t kShortDepth = 64;
// Columns packed at a time of a factor whose rows lie along its columns: of each row it takes whole
// cache lines, several.
constexpr int64_t kStraightCols = 128;

struct TileShape {
  int rows;
  int cols;
};

// Rows of the left factor over a pass of depth: packed block after block of depth, in each tile
// after tile; or in place.
struct Rows {
  Strided a;
  bool packed = false;
  int64_t rows = 0;  // of a block when packed: a multiple of a tile's
  int64_t depth = 0;

  // From `row` on, over the block that begins at depth k and is `depth_of_block` deep.
  Strided at(int64_t row, int64_t k, int64_t depth_of_block) const {
    if (packed) return {a.data + k * rows + row * depth_of_block, 0, 0};
    return {a.data + row * a.row_step + k * a.depth_step, a.row_step, a.depth_step};
  }
};

// A rectangle of an output, over a pass of depth.
struct Task {
  const ProductOutput* output = nullptr;
  int64_t row = 0, rows = 0;
  int64_t col = 0, cols = 0;
  int64_t depth0 = 0;
  bool add = false;
};

}  // namespace plinth::tensor::cpu
#endif

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

TileShape tile_shape() {
  return {kMr, kNr};
}

// Panels of columns [col, col + cols) of b over depth [depth0, depth0 + depth), where its rows run
// along the depth. scratch: kNr * kDepthBlock floats.
void pack_turned_panels(const Stored& b, bool in_place, int64_t col, int64_t cols, int64_t depth0,
                        int64_t depth, float* out, float* scratch) {
  const auto* floats = reinterpret_cast<const float*>(b.data);
  const auto stride = static_cast<int64_t>(b.row_bytes / sizeof(float));
  uint8_t gathered[kGathered];
  for (int64_t j = 0; j < cols; j += kNr, out += kNr * depth) {
    const int64_t width = std::min<int64_t>(kNr, cols - j);
    if (in_place) {
      const float* from = floats + (col + j) * stride + depth0;
      if (width <= kLanes) {  // the second vector is not read
        pack_turned<kNr, true, kLanes>(from, stride, width, depth, out);
      } else {
        pack_turned<kNr, true>(from, stride, width, depth, out);
      }
      continue;
    }
    for (int64_t r = 0; r < width; ++r) {
      const RowPart part = row_part(b, col + j + r, depth0, depth, gathered);
      decode(part.bytes, b.type, part.at, depth, scratch + r * depth);
    }
    pack_turned<kNr>(scratch, depth, width, depth, out);
  }
}

// The same where its rows run along the columns; cols <= kStraightCols.
void pack_straight_panels(const Stored& b, bool in_place, int64_t col, int64_t cols, int64_t depth0,
                          int64_t depth, float* out) {
  // Quantised rows are decoded by blocks, which may start before and end after these columns.
  const int64_t unit = is_quantised(b.type) ? kBlock : 1;
  const int64_t first = col / unit * unit;
  const int64_t last = (col + cols + unit - 1) / unit * unit;
  HWY_ALIGN float decoded[kStraightCols + 2 * kBlock];
  uint8_t gathered[kGathered];
  for (int64_t k = 0; k < depth; ++k) {
    const float* row = decoded + (col - first);
    if (in_place) {
      row = reinterpret_cast<const float*>(b.data + (depth0 + k) * b.row_bytes) + col;
      const float* later = row + kStepsAhead * static_cast<int64_t>(b.row_bytes / sizeof(float));
      for (int64_t j = 0; j < cols; j += kFloatsOfLine) hwy::Prefetch(later + j);
    } else {
      const RowPart part = row_part(b, depth0 + k, first, last - first, gathered);
      decode(part.bytes, b.type, part.at, last - first, decoded);
    }
    for (int64_t j = 0; j < cols; j += kNr)
      pack_straight<kNr>(row + j, 0, std::min<int64_t>(kNr, cols - j), 1,
                         out + j * depth + k * kNr);
  }
}

// Columns whose panels a task holds at a time.
inline constexpr int64_t kHeldCols = HWY_MAX(int64_t{kNr}, kStraightCols);

// Floats that a task needs: panels, and what multiply_block or a panel that is decoded takes.
int64_t task_floats() {
  return (kHeldCols + HWY_MAX(kMr, kNr)) * kDepthBlock;
}

// Some tiles of rows of one block of depth.
void pack_rows(const Strided& a, int64_t rows, int64_t depth, float* out) {
  pack_a(a, rows, depth, out);
}

// scratch: task_floats().
void run_task(const Rows& rows, const Task& task, float* scratch) {
  const Stored& b = task.output->b;
  const Matrix c = task.output->c;
  // F32 on float boundaries is read where it lies; everything else is decoded first.
  const bool in_place = b.type == DType::kF32 &&
                        (reinterpret_cast<uintptr_t>(b.data) | b.row_bytes) % sizeof(float) == 0;
  const int64_t step = b.turned ? kNr : kStraightCols;
  float* panels = scratch;
  float* rest = panels + kHeldCols * kDepthBlock;
  for (int64_t k = 0; k < rows.depth; k += kDepthBlock) {
    const int64_t depth = std::min(kDepthBlock, rows.depth - k);
    const Strided a = rows.at(task.row, k, depth);
    for (int64_t j = 0; j < task.cols; j += step) {
      const int64_t cols = std::min(step, task.cols - j);
      if (b.turned) {
        pack_turned_panels(b, in_place, task.col + j, cols, task.depth0 + k, depth, panels, rest);
      } else {
        pack_straight_panels(b, in_place, task.col + j, cols, task.depth0 + k, depth, panels);
      }
      const bool turn = j + step >= task.cols;
      const int64_t next = turn ? 0 : j + step;
      const int64_t next_k = turn && k + kDepthBlock < rows.depth ? k + kDepthBlock : k;
      Upcoming upcoming(b, task.col + next, std::min(step, task.cols - next), task.depth0 + next_k,
                        std::min(kDepthBlock, rows.depth - next_k));
      const int64_t tiles = (task.rows + kMr - 1) / kMr * ((cols + kNr - 1) / kNr);
      const int64_t ahead = depth <= kShortDepth ? kNr : 0;
      const int64_t lines = (upcoming.lines() + tiles - 1) / tiles;
      multiply_block(a, rows.packed, task.rows, depth, panels, kNr * depth, cols,
                     c.row(task.row) + task.col + j, c.stride, task.add || k > 0, rest,
                     [&](const float* tile) HWY_ATTR {
                       tile += ahead;
                       for (int i = 0; i < kMr; ++i) {
                         hwy::Prefetch(tile + i * c.stride);
                         hwy::Prefetch(tile + i * c.stride + kLanes);
                       }
                       upcoming.fetch(lines);
                     });
    }
  }
}

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace plinth::tensor::cpu {
namespace {

HWY_EXPORT(tile_shape);
HWY_EXPORT(task_floats);
HWY_EXPORT(pack_rows);
HWY_EXPORT(run_task);

// Tiles of rows of a task that was cut for the sake of threads, and of a piece of packing.
constexpr int64_t kLeastTiles = 8;
// Floats of packed rows of a pass (4 MiB): more are written to memory and read back before they are
// used, fewer have outputs added to more often.
constexpr int64_t kPassFloats = int64_t{1} << 20;
// Tasks for each thread that a part of the rows should give.
constexpr int64_t kTasksOfPart = 4;

constexpr int64_t pieces_of(int64_t n, int64_t unit) {
  return (n + unit - 1) / unit;
}

constexpr int64_t round_up(int64_t n, int64_t unit) {
  return pieces_of(n, unit) * unit;
}

// Rows that a task takes: over a block of depth they fill L2, or the smallest there is (256 KiB)
// where nobody says how large it is. The right factor is packed once for each such part: half as
// many rows made products up to 7 % slower (Zen 3, 512 KiB), more than rows that come from L3 cost.
int64_t most_rows() {
  static const int64_t rows = [] {
    const int64_t bytes = std::max<int64_t>(sysconf(_SC_LEVEL2_CACHE_SIZE), 256 * 1024);
    return std::min<int64_t>(bytes / (kDepthBlock * 4), 1024);
  }();
  return rows;
}

// Rows that are packed, used and forgotten before the next: as many as a task takes, or several
// times that where a few columns would leave threads without a task.
int64_t rows_of_part(int64_t m, int64_t panels) {
  const int64_t times = pieces_of(kTasksOfPart * compute_pool().threads(), panels);
  return pieces_of(m, pieces_of(m, times * most_rows()));
}

// Scratch lives as long as its thread: a call never allocates once the largest size has been seen.
float* task_scratch(int64_t n) {
  thread_local Buffer buffer;
  buffer.resize(n);
  return buffer.data();
}

float* packed_rows(int64_t n) {
  thread_local Buffer buffer;
  buffer.resize(n);
  return buffer.data();
}

const std::vector<Task>& tasks_of(int64_t m, int64_t depth0, const TileShape& tile,
                                  std::span<const ProductOutput> outputs) {
  thread_local std::vector<Task> tasks;
  tasks.clear();
  thread_local std::vector<int64_t> panels;
  panels.clear();
  for (const auto& output : outputs) panels.push_back(pieces_of(output.n, tile.cols));
  const int64_t chunk = panels_of_task(panels, 1, 1, 1);
  int64_t cols = 0;  // tasks
  for (const auto& output : outputs) cols += pieces_of(output.n, chunk * tile.cols);
  // Few columns: rows are cut for the threads.
  const int64_t cuts =
      std::max(pieces_of(m, most_rows()),
               std::min(2 * compute_pool().threads() / cols, m / (kLeastTiles * tile.rows)));
  const int64_t rows = round_up(pieces_of(m, cuts), tile.rows);
  for (int64_t row = 0; row < m; row += rows) {
    for (const auto& output : outputs) {
      for (int64_t col = 0; col < output.n; col += chunk * tile.cols) {
        tasks.push_back({.output = &output,
                         .row = row,
                         .rows = std::min(rows, m - row),
                         .col = col,
                         .cols = std::min(chunk * tile.cols, output.n - col),
                         .depth0 = depth0,
                         .add = output.accumulate || depth0 > 0});
      }
    }
  }
  return tasks;
}

Rows pack(int64_t m, const Strided& a, int64_t depth, const TileShape& tile) {
  Rows rows = {{}, true, round_up(m, tile.rows), depth};
  float* out = packed_rows(rows.rows * depth);
  rows.a.data = out;
  const int64_t piece = kLeastTiles * tile.rows;
  const int64_t pieces = pieces_of(m, piece);
  parallel(pieces * pieces_of(depth, kDepthBlock), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t k = i / pieces * kDepthBlock;
      const int64_t row = i % pieces * piece;
      const int64_t block = std::min(kDepthBlock, depth - k);
      HWY_DYNAMIC_DISPATCH(pack_rows)
      ({a.data + row * a.row_step + k * a.depth_step, a.row_step, a.depth_step},
       std::min(piece, m - row), block, out + k * rows.rows + row * block);
    }
  });
  return rows;
}

void run_tasks(const Rows& rows, const std::vector<Task>& tasks) {
  parallel(std::ssize(tasks), 1, [&](int64_t begin, int64_t end) {
    float* scratch = task_scratch(HWY_DYNAMIC_DISPATCH(task_floats)());
    for (int64_t i = begin; i < end; ++i)
      HWY_DYNAMIC_DISPATCH(run_task)(rows, tasks[static_cast<size_t>(i)], scratch);
  });
}

}  // namespace

void multiply(int64_t m, int64_t k, const Strided& a, std::span<const ProductOutput> outputs) {
  int64_t n = 0;
  for (const auto& output : outputs) {
    n += output.n;
    if (k > 0 || output.accumulate) continue;
    for (int64_t r = 0; r < m; ++r) std::fill_n(output.c.row(r), output.n, 0.0f);
  }
  if (m == 0 || n == 0) return;
  const TileShape tile = HWY_DYNAMIC_DISPATCH(tile_shape)();
  // Packed rows are read from one end to the other, whatever their stride was, which several panels
  // repay; rows that all fall into the same sets of L1, sooner.
  const bool packs =
      n > 6 * tile.cols || (n > tile.cols && (a.depth_step != 1 || a.row_step % 1024 == 0));
  if (!packs) return run_tasks(Rows{a, false, m, k}, tasks_of(m, 0, tile, outputs));
  const int64_t part = round_up(rows_of_part(m, pieces_of(n, tile.cols)), tile.rows);
  thread_local std::vector<ProductOutput> own;
  for (int64_t row = 0; row < m; row += part) {
    const int64_t rows = std::min(part, m - row);
    own.assign(outputs.begin(), outputs.end());
    for (auto& output : own) output.c = output.c.slice(row, rows);
    const int64_t pass =
        std::max<int64_t>(1, kPassFloats / round_up(rows, tile.rows) / kDepthBlock) * kDepthBlock;
    for (int64_t depth0 = 0; depth0 < k; depth0 += pass) {
      const int64_t depth = std::min(pass, k - depth0);
      const float* from = a.data + row * a.row_step + depth0 * a.depth_step;
      run_tasks(pack(rows, {from, a.row_step, a.depth_step}, depth, tile),
                tasks_of(rows, depth0, tile, own));
    }
  }
}

}  // namespace plinth::tensor::cpu
#endif
