#include "tensor/cpu/int8_linear.h"

#define PLINTH_SIMD_INT8
#include "tensor/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/cpu/int8_linear.cpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <vector>

#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "core/check.h"
#include "tensor/cpu/amx.h"
#include "tensor/cpu/decode-inl.h"
#include "tensor/cpu/int8_amx-inl.h"
#include "tensor/cpu/int8_kernel-inl.h"
#include "tensor/cpu/int8_unpack-inl.h"
#include "tensor/cpu/int8_types.h"
#include "tensor/cpu/parallel.h"
#include "tensor/cpu/shares.h"
#include "tensor/quant/panels.h"

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

// Without bytes side by side integers gain nothing: plain products with the decoded row.
Int8Shape int8_shape(DType, int64_t) {
  return {4, 1, 1, 0, 1, 1};
}

void round_tile(ConstMatrix, int64_t, int, DType, const Rounded&) {}

void int8_task(ConstMatrix x, const Weight& w, Matrix y, const Int8Task& task) {
  Buffer row(w.cols);
  std::vector<uint8_t> scratch;
  for (int64_t n = task.col; n < task.col + task.cols; ++n) {
    decode(w.row(n, scratch), w.type, 0, w.cols, row.data());
    for (int64_t i = task.row; i < task.row + task.rows; ++i) {
      float total = 0;
      for (int64_t k = 0; k < w.cols; ++k) total += x.row(i)[k] * row.data()[k];
      y.row(i)[n] = task.add ? y.row(i)[n] + total : total;
    }
  }
}

#else

// A product takes longer than x takes from L2 or L3, and unpacking a panel pays off by the rows
// that it meets: a task takes many. The matrix unit is faster, so its part of x is half of a small
// L2 (1 MiB), half of what is left is for the weight that streams by; and it takes more blocks at a
// time than a panel has, so that rows stay whole.
Int8Shape int8_shape(DType type, int64_t rows) {
  int bytes = 0;
  with_unpacked_for(type, rows, [&](auto unpacked) HWY_ATTR { bytes = tile_row_bytes(unpacked); });
  const bool amx = kByteDots && amx_usable();
  return {kPanel,
          kPanelsAtOnce,
          kTile,
          bytes,
          amx ? std::numeric_limits<int32_t>::max() : kChunk,
          int64_t{amx ? 512 : 4096} << 10};
}

// Rounds the `height` rows of the tile that begins at `row` of x.
void round_tile(ConstMatrix x, int64_t row, int height, DType type, const Rounded& rounded) {
  with_unpacked_for(type, rounded.rows, [&](auto unpacked) HWY_ATTR {
    using T = decltype(unpacked);
    round_rows<T>(x, rounded, row, height);
  });
}

// Chunk after chunk of the panel that begins at row n: where it lies in an interleaved weight, and
// interleaved here of any other.
template <DType kType>
struct PanelReader {
  // `place`: of what is interleaved here; a chunk stays until the next one of its place.
  // panels_at_once: read side by side, this one's place among them the same.
  PanelReader(const Weight& w, int64_t n, int place, int panels_at_once)
      : memory(chunks[place]),
        stride(static_cast<int64_t>(row_bytes(kType, w.cols))),
        rows(static_cast<int>(std::min<int64_t>(kPanel, w.rows - n))),
        at(static_cast<const uint8_t*>(w.data) + n * stride),
        panel_end(at + kPanel * stride),
        end(static_cast<const uint8_t*>(w.data) + w.rows * stride),
        skip((panels_at_once - 1) * kPanel * stride),
        interleaved(w.panel != 0) {}

  // `blocks` of 32.
  Chunk<kType> next(int blocks) {
    constexpr auto kBytes = static_cast<int64_t>(traits(kType).bytes);
    const int64_t stored = blocks * kBlock / traits(kType).block;
    if (interleaved) {
      const uint8_t* chunk = at;
      at += stored * kBytes * kPanel;
      // The next panel of this place follows behind those of the others.
      const int64_t ahead = chunk + kAhead < panel_end ? kAhead : kAhead + skip;
      wanted = chunk + ahead;
      wanted_end = HWY_MIN(at + ahead, end);
      return {chunk, blocks};
    }
    memory.resize((stored * kBytes * kPanel + 3) / 4);
    auto* chunk = reinterpret_cast<uint8_t*>(memory.data());
    interleave_chunk(at, stride, rows, kType, stored, kPanel, chunk);
    at += stored * kBytes;
    return {chunk, blocks};
  }

  // Up to `lines` cache lines of what next() will return in a while.
  void fetch(int64_t lines) {
    for (; lines > 0 && wanted < wanted_end; --lines, wanted += 64) hwy::Prefetch(wanted);
  }

  // The same lines in `parts`, rounded up.
  int64_t lines_of_each(int parts) const {
    return wanted < wanted_end ? (wanted_end - wanted + 64 * parts - 1) / (64 * parts) : 0;
  }

  // Bytes between a read and the lines that are then to be fetched.
  static constexpr int64_t kAhead = 8192;

  static thread_local inline Buffer chunks[kPanelsAtOnce];

  Buffer& memory;
  int64_t stride;
  int rows;
  const uint8_t* at;
  const uint8_t* panel_end;
  const uint8_t* end;
  int64_t skip;  // bytes of the panels between this one and the next of its place
  bool interleaved;
  const uint8_t* wanted = nullptr;  // by fetch(), up to wanted_end
  const uint8_t* wanted_end = nullptr;
};

#if HWY_TARGET == HWY_AVX3_DL && defined(__x86_64__)
// Chunks unpacked before the matrix unit passes over them: its pipeline starts anew for each group.
constexpr int kAmxPanels = 4;
#endif

// y = or += the sums of rows [row, row + rows), `cols` columns from n on.
void put_sums(const Sums& sums, int64_t row, int64_t rows, int64_t n, int64_t cols, const Matrix& y,
              bool add) {
  const PanelFloats d;
  const float* from = sums.data;
  for (int64_t i = row; i < row + rows; ++i, from += sums.stride) {
    float* out = y.row(i) + n;
    int64_t r = 0;
    for (; r + kPanel <= cols; r += kPanel) {
      FloatVector v = hn::Load(d, from + r);
      if (add) v = hn::Add(hn::LoadU(d, out + r), v);
      hn::StoreU(v, d, out + r);
    }
    for (; r < cols; ++r) out[r] = add ? out[r] + from[r] : from[r];
  }
}

// What put_sums will write: rows of y are far apart.
void fetch_place(int64_t row, int64_t rows, int64_t n, int64_t cols, const Matrix& y) {
  for (int64_t i = row; i < row + rows; ++i) {
    const float* place = y.row(i) + n;
    for (int64_t r = 0; r < cols; r += 16) hwy::Prefetch(place + r);
  }
}

// Columns [n, n + cols) of rows [first_row, end) of the task, by vectors.
template <class T>
void pass_over_panels(const Weight& w, const Matrix& y, const Int8Task& task, int64_t first_row,
                      int64_t n, int64_t cols, Sums sums) {
  const Tiles tiles = {y.rows, kTile};
  const int64_t blocks = w.cols / kBlock;
  const int64_t end = task.row + task.rows;
  const int64_t tile_count = (end - first_row) / kTile;
  Panel panels[kPanelsAtOnce];
  const int panel_count = static_cast<int>((cols + kPanel - 1) / kPanel);
  PanelReader<T::kType> readers[2] = {
      {w, n, 0, panel_count}, {w, n + (panel_count - 1) * kPanel, panel_count - 1, panel_count}};
  for (int64_t block = 0; block < blocks; block += kChunk) {
    const int count = static_cast<int>(std::min<int64_t>(kChunk, blocks - block));
    const bool last = block + count == blocks;
    const Rounded::Block x = task.rounded->block(block);
    // All lines at once would wait for each other; few rows have no time to spread them over.
    int64_t lines = std::numeric_limits<int64_t>::max();
    for (int p = 0; p < panel_count; ++p) {
      const Chunk<T::kType> chunk = readers[p].next(count);
      if constexpr (T::kStreamed) {
        panels[p].wanted = readers[p].wanted;
        panels[p].lines = readers[p].lines_of_each(count);
      } else if (tile_count > 1) {
        lines = (readers[p].wanted_end - readers[p].wanted) / (64 * tile_count) + 1;
      } else {
        readers[p].fetch(lines);
      }
      unpack<T, 0>(chunk, panels[p]);
    }
    for (int64_t row = first_row; row < end;) {
      const int height = tiles.height_at(row);
      if (last) fetch_place(row, height, n, cols, y);
      const Sums place = {sums.data + (row - task.row) * sums.stride, sums.stride, block == 0};
      multiply_tile<T>(height, x.at(row, height), panels, panel_count, count, place);
      if (last) put_sums(place, row, height, n, cols, y, task.add);
      for (int p = 0; p < panel_count; ++p) {
        if constexpr (T::kStreamed)
          panels[p].lines = 0;
        else
          readers[p].fetch(lines);
      }
      row += height;
    }
  }
}

template <class T>
void int8_panels(const Weight& w, Matrix y, const Int8Task& task, T) {
  if (w.cols == 0) {
    for (int64_t i = task.row; i < task.row + task.rows && !task.add; ++i)
      std::fill_n(y.row(i) + task.col, task.cols, 0.0f);
    return;
  }
  int64_t first_row = task.row;  // of those that vectors take
#if HWY_TARGET == HWY_AVX3_DL && defined(__x86_64__)
  const int64_t blocks = w.cols / kBlock;
  Panel amx_panels[kAmxPanels];
  std::optional<AmxTiles> amx;
  if (!T::kStreamed && task.rows >= kAmxRows && amx_usable()) {
    amx.emplace(T::kRuns);
    first_row += task.rows / kAmxRows * kAmxRows;
  }
#endif
  // Few rows are bound by memory, which gives most as one stream.
  int most_panels = task.rows <= kRowsOfOneStream ? 1 : kPanelsAtOnce;
#if HWY_TARGET == HWY_AVX3_DL && defined(__x86_64__)
  if (amx) most_panels = 1;
#endif
  thread_local Buffer memory;
  memory.resize(task.rows * most_panels * kPanel);
  const Sums sums = {memory.data(), most_panels * kPanel, false};
  for (int64_t n = task.col; n < task.col + task.cols; n += most_panels * kPanel) {
    const int64_t cols = std::min<int64_t>(most_panels * kPanel, task.col + task.cols - n);
#if HWY_TARGET == HWY_AVX3_DL && defined(__x86_64__)
    if (amx) {
      memory.fill(0);
      PanelReader<T::kType> reader(w, n, 0, 1);
      for (int64_t block = 0; block < blocks; block += kAmxPanels * kChunk) {
        const int count = static_cast<int>(std::min<int64_t>(kAmxPanels * kChunk, blocks - block));
        for (int j = 0; j < count; j += kChunk) {
          const Chunk<T::kType> chunk = reader.next(HWY_MIN(kChunk, count - j));
          reader.fetch(std::numeric_limits<int64_t>::max());
          unpack<T, T::kOffset>(chunk, amx_panels[j / kChunk]);
        }
        multiply_tiles_amx<T>(task.rounded->at(block, task.row, kAmxRows),
                              kAmxRows * blocks * tile_row_bytes(T()), task.rows / kAmxRows,
                              amx_panels, count, sums.data);
      }
      fetch_place(task.row, first_row - task.row, n, cols, y);
      put_sums(sums, task.row, first_row - task.row, n, cols, y, task.add);
    }
#endif
    if (first_row < task.row + task.rows) pass_over_panels<T>(w, y, task, first_row, n, cols, sums);
  }
}

void int8_task(ConstMatrix, const Weight& w, Matrix y, const Int8Task& task) {
  with_unpacked_for(w.type, y.rows,
                    [&](auto unpacked) HWY_ATTR { int8_panels(w, y, task, unpacked); });
}

#endif

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace plinth::tensor::cpu {
namespace {

HWY_EXPORT(int8_shape);
HWY_EXPORT(round_tile);
HWY_EXPORT(int8_task);

// Multiplications that are worth handing to another thread, about two microseconds.
constexpr int64_t kTaskWork = int64_t{512} << 10;

int64_t panels_of(const Weight& w, const Int8Shape& shape) {
  return (w.rows + shape.panel - 1) / shape.panel;
}

}  // namespace

int int8_panel(DType type) {
  return HWY_DYNAMIC_DISPATCH(int8_shape)(type, 1).panel;
}

void linear_by_int8(ConstMatrix x, std::span<const LinearOutput> outputs) {
  if (x.rows == 0) return;
  const DType type = outputs[0].w.type;
  const Int8Shape shape = HWY_DYNAMIC_DISPATCH(int8_shape)(type, x.rows);
  thread_local std::vector<int64_t> panels;
  panels.clear();
  for (const auto& [w, y, accumulate] : outputs) {
    PLINTH_CHECK(w.panel == 0 || w.panel == shape.panel, "panels of {}, this machine reads {}",
                 w.panel, shape.panel);
    panels.push_back(panels_of(w, shape));
  }
  const Tiles tiles = {x.rows, shape.tile};
  thread_local Buffer memory;
  const int64_t x_bytes = x.cols / 32 * shape.row_bytes;  // of one row
  memory.resize(x.rows * x_bytes / 4 + 1);
  const Rounded rounded = {reinterpret_cast<uint8_t*>(memory.data()), x.rows, x.cols / 32,
                           shape.span, shape.row_bytes};
  const int64_t tile_count = (x.rows + shape.tile - 1) / shape.tile;
  parallel(tile_count, row_grain(x.cols * shape.tile), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin * shape.tile; row < std::min(end * shape.tile, x.rows);) {
      const int height = tiles.height_at(row);
      HWY_DYNAMIC_DISPATCH(round_tile)(x, row, height, type, rounded);
      row += height;
    }
  });

  const int64_t most_rows = std::max<int64_t>(1, shape.task_bytes / std::max<int64_t>(x_bytes, 1));
  const int64_t row_cuts = (x.rows + most_rows - 1) / most_rows;
  const int64_t rows = (x.rows + row_cuts * shape.tile - 1) / (row_cuts * shape.tile) * shape.tile;
  const int64_t row_tasks = (x.rows + rows - 1) / rows;
  const int64_t panel_work = std::max<int64_t>(1, std::min(rows, x.rows) * x.cols * shape.panel);
  const int64_t grain = panels_of_task(panels, shape.at_once, kTaskWork / panel_work, row_tasks);
  int64_t col_tasks = 0;
  for (const int64_t count : panels) col_tasks += (count + grain - 1) / grain;
  parallel(row_tasks * col_tasks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const LinearOutput* output = outputs.data();
      int64_t at = t % col_tasks;
      for (;; ++output) {
        const int64_t count = (panels_of(output->w, shape) + grain - 1) / grain;
        if (at < count) break;
        at -= count;
      }
      Int8Task task;
      task.rounded = &rounded;
      task.row = t / col_tasks * rows;
      task.rows = std::min(rows, x.rows - task.row);
      task.col = at * grain * shape.panel;
      task.cols = std::min(grain * shape.panel, output->w.rows - task.col);
      task.add = output->accumulate;
      HWY_DYNAMIC_DISPATCH(int8_task)(x, output->w, output->y, task);
    }
  });
}

}  // namespace plinth::tensor::cpu
#endif
