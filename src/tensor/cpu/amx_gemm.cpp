#include "tensor/cpu/amx_gemm.h"

#define PLINTH_SIMD_INT8
#include "tensor/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/cpu/amx_gemm.cpp"

#include <algorithm>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "core/check.h"
#include "tensor/cpu/amx.h"
#include "tensor/cpu/amx_pack-inl.h"
#include "tensor/cpu/amx_tiles-inl.h"
#include "tensor/cpu/parallel.h"

#ifndef PLINTH_TENSOR_CPU_AMX_GEMM_ONCE_
#define PLINTH_TENSOR_CPU_AMX_GEMM_ONCE_

namespace plinth::tensor::cpu {

// Depth of the columns that lie packed in L1 (32 KiB of 48) while rows pass over them, by parts of
// b. Interleaved weights need whole chunks of 256.
constexpr int64_t depth_block(int b_parts) {
  return 512 / b_parts;
}

enum class Split : uint8_t { kNone, kByBF16, kByF16 };

constexpr int a_parts(Split split) {
  return split == Split::kNone ? 1 : 2;
}

constexpr int b_parts(Split split) {
  return split == Split::kByF16 ? 2 : 1;
}

// Rows of a over one pass of depth, packed: blocks of depth, in each the groups of 32 rows.
struct PackedRows {
  uint8_t* data = nullptr;
  int64_t rows = 0;
  int64_t depth = 0;
  int64_t block = 0;       // of depth
  int64_t step_bytes = 0;  // of a group: all parts

  int64_t groups() const { return (rows + 31) / 32; }

  int64_t blocks() const { return (depth + block - 1) / block; }

  int64_t steps(int64_t at) const { return (std::min(block, depth - at * block) + 31) / 32; }

  uint8_t* group(int64_t at, int64_t group) const {
    return data + (at * (block / 32) * groups() + group * steps(at)) * step_bytes;
  }
};

// One group of columns of an output, times rows [row, row + rows) of a, which begin a group.
struct ColumnTask {
  const AmxOutput* output;
  int64_t col;
  int64_t row, rows;
  int64_t depth0;  // of the pass
  bool add;
};

}  // namespace plinth::tensor::cpu
#endif

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX3_DL && defined(__x86_64__)

bool amx_here() {
  return amx_usable();
}

template <class Body>
HWY_INLINE void with_split(Split split, const Body& body) {
  switch (split) {
    case Split::kNone:
      return body(SplitNone());
    case Split::kByBF16:
      return body(SplitByBF16());
    case Split::kByF16:
      return body(SplitByF16());
  }
}

// Group `group` of block `at` of the rows; a begins at the pass's depth.
void pack_rows(const Strided& a, const PackedRows& packed, int64_t at, int64_t group, Split split) {
  with_split(split, [&](auto s) HWY_ATTR {
    const bool deep = a.depth_step == 1;
    const TileFloats from = {a.data, deep ? a.row_step : a.depth_step, deep};
    const int64_t depth0 = at * packed.block;
    pack_group<decltype(s)::kA>(
        from.at(group * kGroup, depth0), std::min<int64_t>(kGroup, packed.rows - group * kGroup),
        std::min(packed.block, packed.depth - depth0), /*rows=*/true, packed.group(at, group));
  });
}

template <class S>
void multiply_columns(const PackedRows& packed, const ColumnTask& task, S) {
  const AmxOutput& out = *task.output;
  const int64_t cols = std::min<int64_t>(kGroup, out.n - task.col);
  const int64_t stride = out.c.stride * static_cast<int64_t>(sizeof(float));
  alignas(64) uint8_t columns[depth_block(S::kB) / kStep * S::kB * kPartBytes];
  alignas(64) float edge[kGroup * kGroup];
  thread_local Buffer scratch;
  scratch.resize(kGroup * packed.block);
  const WholeTiles tiles;
  for (int64_t at = 0; at < packed.blocks(); ++at) {
    const int64_t depth0 = at * packed.block;
    const int64_t depth = std::min(packed.block, packed.depth - depth0);
    pack_columns<S::kB>(out.b, task.col, cols, task.depth0 + depth0, depth, scratch.data(),
                        columns);
    const bool add = task.add || at > 0;
    for (int64_t row = task.row; row < task.row + task.rows; row += kGroup) {
      const uint8_t* rows = packed.group(at, row / kGroup);
      const int64_t count = std::min<int64_t>(kGroup, packed.rows - row);
      float* c = out.c.row(row) + task.col;
      if (count == kGroup && cols == kGroup) {
        begin_tiles(c, stride, add);
        multiply_steps<S>(rows, columns, packed.steps(at));
        end_tiles(c, stride);
        continue;
      }
      begin_tiles(edge, kGroup * sizeof(float), false);
      multiply_steps<S>(rows, columns, packed.steps(at));
      end_tiles(edge, kGroup * sizeof(float));
      for (int64_t i = 0; i < count; ++i) {
        float* to = out.c.row(row + i) + task.col;
        const float* from = edge + i * kGroup;
        for (int64_t j = 0; j < cols; ++j) to[j] = add ? to[j] + from[j] : from[j];
      }
    }
  }
}

void column_task(const PackedRows& packed, const ColumnTask& task, Split split) {
  with_split(split, [&](auto s) HWY_ATTR { multiply_columns(packed, task, s); });
}

#else

bool amx_here() {
  return false;
}

void pack_rows(const Strided&, const PackedRows&, int64_t, int64_t, Split) {}

void column_task(const PackedRows&, const ColumnTask&, Split) {}

#endif

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace plinth::tensor::cpu {
namespace {

HWY_EXPORT(amx_here);
HWY_EXPORT(pack_rows);
HWY_EXPORT(column_task);

// Rows of a pass: packed, a block of depth of them stays in L2 (half of 2 MiB).
constexpr int64_t kPassRows = 1024;
// Bytes of packed rows of a pass.
constexpr int64_t kPassBytes = int64_t{16} << 20;

Split split_for(DType type, AmxRounding rounding) {
  if (rounding == AmxRounding::kBoth) return Split::kNone;
  return type == DType::kBF16 ? Split::kByBF16 : Split::kByF16;
}

// A pass: rows [row, row + rows) and depth [depth0, depth0 + depth) of all outputs.
void multiply_pass(const Strided& a, int64_t row, PackedRows packed, int64_t depth0,
                   std::span<const AmxOutput> outputs, Split split) {
  const Strided from = {a.data + row * a.row_step + depth0 * a.depth_step, a.row_step,
                        a.depth_step};
  thread_local Buffer memory;
  memory.resize(packed.groups() * ((packed.depth + 31) / 32) * packed.step_bytes / 4);
  packed.data = reinterpret_cast<uint8_t*>(memory.data());
  const int64_t pieces = packed.groups() * packed.blocks();
  parallel(pieces, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) HWY_DYNAMIC_DISPATCH(pack_rows)
    (from, packed, i / packed.groups(), i % packed.groups(), split);
  });

  int64_t columns = 0;  // groups
  for (const auto& output : outputs) columns += (output.n + 31) / 32;
  const int64_t wanted = 4 * compute_pool().threads();
  const int64_t cuts = std::min((wanted + columns - 1) / columns, packed.groups());
  const int64_t cut_rows = (packed.groups() + cuts - 1) / cuts * 32;
  const int64_t grain = std::max<int64_t>(1, columns * cuts / (2 * wanted));
  parallel(columns * cuts, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      ColumnTask task = {};
      task.row = i / columns * cut_rows;
      task.rows = std::min(cut_rows, packed.rows - task.row);
      if (task.rows <= 0) continue;
      int64_t group = i % columns;
      task.output = outputs.data();
      for (; group >= (task.output->n + 31) / 32; ++task.output)
        group -= (task.output->n + 31) / 32;
      task.col = group * 32;
      task.depth0 = depth0;
      task.add = task.output->accumulate || depth0 > 0;
      AmxOutput view = *task.output;
      view.c.data = task.output->c.row(row);
      task.output = &view;
      HWY_DYNAMIC_DISPATCH(column_task)(packed, task, split);
    }
  });
}

void multiply_alike(int64_t m, int64_t k, const Strided& a, std::span<const AmxOutput> outputs,
                    Split split) {
  PackedRows packed;
  packed.block = depth_block(b_parts(split));
  packed.step_bytes = int64_t{2048} * a_parts(split);
  for (int64_t row = 0; row < m; row += kPassRows) {
    packed.rows = std::min(kPassRows, m - row);
    const int64_t step = packed.groups() * packed.step_bytes / 32;  // bytes of one of depth
    const int64_t pass = std::max<int64_t>(1, kPassBytes / step / packed.block) * packed.block;
    for (int64_t depth0 = 0; depth0 < k; depth0 += pass) {
      packed.depth = std::min(pass, k - depth0);
      multiply_pass(a, row, packed, depth0, outputs, split);
    }
  }
}

}  // namespace

bool amx_usable_for(DType type, AmxRounding rounding) {
  const bool by_parts = type == DType::kF16 || type == DType::kBF16;
  return (by_parts || rounding == AmxRounding::kBoth) && HWY_DYNAMIC_DISPATCH(amx_here)();
}

void amx_multiply(int64_t m, int64_t k, const Strided& a, std::span<const AmxOutput> outputs,
                  AmxRounding rounding) {
  while (!outputs.empty()) {
    const Split split = split_for(outputs[0].b.type, rounding);
    size_t alike = 1;
    while (alike < outputs.size() && split_for(outputs[alike].b.type, rounding) == split) ++alike;
    multiply_alike(m, k, a, outputs.first(alike), split);
    outputs = outputs.subspan(alike);
  }
}

}  // namespace plinth::tensor::cpu
#endif
