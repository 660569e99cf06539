#include "tensor/cpu/gemm_types.h"
#include "tensor/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/cpu/gemm.cpp"

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tensor/cpu/decode-inl.h"
#include "tensor/cpu/gemm_kernel-inl.h"
#include "tensor/cpu/parallel.h"
#include "tensor/cpu/row_part.h"

#ifndef PLINTH_TENSOR_CPU_GEMM_ONCE_
#define PLINTH_TENSOR_CPU_GEMM_ONCE_

namespace plinth::tensor::cpu {

// One packed panel of B is kDepthBlock x kNr floats: 16 KiB with AVX2, 32 KiB with AVX-512. It
// stays in L1 (32 and 48 KiB) while the tiles of a row block pass over it.
constexpr int64_t kDepthBlock = 256;
// Rows of A per task: kRowBlock x kDepthBlock floats are 144 KiB, which stay in the smallest L2
// (256 KiB) while all panels of B pass over them. A multiple of 6 and 12.
constexpr int64_t kRowBlock = 144;

struct TileShape {
  int rows;
  int cols;
};

// A rectangle of C, with the packed panels of B that its columns need.
struct Task {
  int64_t row, rows;
  int64_t col, cols;      // relative to the packed columns
  int64_t depth0, depth;  // of this pass
  const float* panels;    // [depth block][panel][kDepthBlock or less, kNr]
  int64_t panels_cols;    // columns in one depth block of panels, a multiple of kNr
  bool add;
};

}  // namespace plinth::tensor::cpu
#endif

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

TileShape tile_shape() {
  return {kMr, kNr};
}

// Packs columns [col, col + cols) of b, depth [depth0, depth0 + depth), into panels of kNr.
// scratch: kNr * kDepthBlock floats.
void pack_b(const Stored& b, int64_t col, int64_t cols, int64_t depth0, int64_t depth, float* out,
            float* scratch) {
  // F32 rows on float boundaries are read where they lie; everything else is decoded first.
  const bool in_place = b.type == DType::kF32 &&
                        (reinterpret_cast<uintptr_t>(b.data) | b.row_bytes) % sizeof(float) == 0;
  const auto* floats = reinterpret_cast<const float*>(b.data);
  const auto stride = static_cast<int64_t>(b.row_bytes / sizeof(float));
  uint8_t gathered[kGathered];
  for (int64_t j = 0; j < cols; j += kNr, out += kNr * depth) {
    const int64_t width = std::min<int64_t>(kNr, cols - j);
    if (b.turned) {
      if (in_place) {
        pack_turned<kNr>(floats + (col + j) * stride + depth0, stride, width, depth, out);
        continue;
      }
      for (int64_t r = 0; r < width; ++r) {
        const RowPart part = row_part(b, col + j + r, depth0, depth, gathered);
        decode(part.bytes, b.type, part.at, depth, scratch + r * depth);
      }
      pack_turned<kNr>(scratch, depth, width, depth, out);
    } else if (in_place) {
      pack_straight<kNr>(floats + depth0 * stride + col + j, stride, width, depth, out);
    } else {
      // Quantised rows are decoded by blocks, which may start before and end after this panel.
      const int64_t unit = is_quantised(b.type) ? kBlock : 1;
      const int64_t first = (col + j) / unit * unit;
      const int64_t last = (col + j + width + unit - 1) / unit * unit;
      HWY_ALIGN float row[2 * kBlock + kNr];
      for (int64_t k = 0; k < depth; ++k) {
        const RowPart part = row_part(b, depth0 + k, first, last - first, gathered);
        decode(part.bytes, b.type, part.at, last - first, row);
        pack_straight<kNr>(row + (col + j - first), 0, width, 1, out + k * kNr);
      }
    }
  }
}

// scratch: kRowBlock * kDepthBlock + kMr * kDepthBlock floats.
void run_task(const Product& p, const Task& task, float* scratch) {
  // Rows a multiple of 4 KiB apart fall into the same set of L1 and push each other out before a
  // cache line is used up; columns in place touch a line per step. Both are copied first, which a
  // task with many columns repays.
  const bool pack = p.a.depth_step != 1 || p.a.row_step % 1024 == 0;
  for (int64_t k = 0; k < task.depth; k += kDepthBlock) {
    const int64_t depth = std::min(kDepthBlock, task.depth - k);
    Strided a = {p.a.data + task.row * p.a.row_step + (task.depth0 + k) * p.a.depth_step,
                 p.a.row_step, p.a.depth_step};
    if (pack) {
      pack_a(a, task.rows, depth, scratch);
      a.data = scratch;
    }
    multiply_block(a, pack, task.rows, depth, task.panels + k * task.panels_cols + task.col * depth,
                   kNr * depth, task.cols, p.c.data, p.c.stride, task.add || k > 0,
                   scratch + kRowBlock * kDepthBlock);
  }
}

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace plinth::tensor::cpu {
namespace {

HWY_EXPORT(tile_shape);
HWY_EXPORT(pack_b);
HWY_EXPORT(run_task);

// Floats of B packed at a time (16 MiB), and the longest depth of such a pass. Weights of the sizes
// trained here fit at once: one parallel loop packs, one multiplies.
constexpr int64_t kPackedMax = int64_t{4} << 20;
constexpr int64_t kPassDepth = 16 * 1024;

constexpr int64_t round_up(int64_t n, int64_t unit) {
  return (n + unit - 1) / unit * unit;
}

// Scratch lives as long as its thread: a call never allocates once the largest size has been seen.
float* packed_b(int64_t n) {
  thread_local Buffer buffer;
  buffer.resize(n);
  return buffer.data();
}

float* task_scratch(int64_t n) {
  thread_local Buffer buffer;
  buffer.resize(n);
  return buffer.data();
}

void pack_all(const Product& p, const TileShape& tile, int64_t col, int64_t cols, int64_t depth0,
              int64_t depth, float* panels) {
  const int64_t panels_cols = round_up(cols, tile.cols);
  const int64_t col_pieces = panels_cols / tile.cols;
  const int64_t depth_pieces = (depth + kDepthBlock - 1) / kDepthBlock;
  parallel(col_pieces * depth_pieces, std::max<int64_t>(1, 64 / tile.cols),
           [&](int64_t begin, int64_t end) {
             float* scratch = task_scratch(tile.cols * kDepthBlock);
             for (int64_t piece = begin; piece < end; ++piece) {
               const int64_t k = piece / col_pieces * kDepthBlock;
               const int64_t j = piece % col_pieces * tile.cols;
               const int64_t block = std::min(kDepthBlock, depth - k);
               HWY_DYNAMIC_DISPATCH(pack_b)
               (p.b, col + j, std::min<int64_t>(tile.cols, cols - j), depth0 + k, block,
                panels + k * panels_cols + j * block, scratch);
             }
           });
}

void multiply_packed(const Product& p, const TileShape& tile, int64_t col, int64_t cols,
                     int64_t depth0, int64_t depth, const float* panels) {
  const int64_t panels_cols = round_up(cols, tile.cols);
  const int64_t row_tasks = (p.m + kRowBlock - 1) / kRowBlock;
  const int64_t rows = round_up((p.m + row_tasks - 1) / row_tasks, tile.rows);
  // Few row blocks: cut the columns too, so that every thread finds about four tasks.
  const int64_t wanted = 4 * compute_pool().threads();
  const int64_t cuts = std::clamp<int64_t>((wanted + row_tasks - 1) / row_tasks, 1,
                                           std::max<int64_t>(1, panels_cols / (4 * tile.cols)));
  const int64_t task_cols = round_up((panels_cols + cuts - 1) / cuts, tile.cols);
  const int64_t col_tasks = (panels_cols + task_cols - 1) / task_cols;
  parallel(row_tasks * col_tasks, 1, [&](int64_t begin, int64_t end) {
    float* scratch = task_scratch((kRowBlock + tile.rows) * kDepthBlock);
    for (int64_t t = begin; t < end; ++t) {
      Task task = {};
      task.row = t / col_tasks * rows;
      task.rows = std::min(rows, p.m - task.row);
      task.col = t % col_tasks * task_cols;
      task.cols = std::min(task_cols, cols - task.col);
      if (task.rows <= 0 || task.cols <= 0) continue;
      task.depth0 = depth0;
      task.depth = depth;
      task.panels = panels;
      task.panels_cols = panels_cols;
      task.add = p.accumulate || depth0 > 0;
      Product view = p;
      view.c.data = p.c.row(task.row) + col + task.col;
      HWY_DYNAMIC_DISPATCH(run_task)(view, task, scratch);
    }
  });
}

}  // namespace

void multiply(const Product& p) {
  if (p.m == 0 || p.n == 0) return;
  if (p.k == 0) {
    if (!p.accumulate)
      for (int64_t r = 0; r < p.m; ++r) std::fill_n(p.c.row(r), p.n, 0.0f);
    return;
  }
  const TileShape tile = HWY_DYNAMIC_DISPATCH(tile_shape)();
  for (int64_t depth0 = 0; depth0 < p.k; depth0 += kPassDepth) {
    const int64_t depth = std::min(kPassDepth, p.k - depth0);
    const int64_t cols_max =
        std::min(round_up(p.n, tile.cols), std::max<int64_t>(kPackedMax / depth / 256, 1) * 256);
    float* panels = packed_b(cols_max * depth);
    for (int64_t col = 0; col < p.n; col += cols_max) {
      const int64_t cols = std::min(cols_max, p.n - col);
      pack_all(p, tile, col, cols, depth0, depth, panels);
      multiply_packed(p, tile, col, cols, depth0, depth, panels);
    }
  }
}

}  // namespace plinth::tensor::cpu
#endif
