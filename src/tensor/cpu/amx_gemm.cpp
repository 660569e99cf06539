#include "tensor/cpu/amx_gemm.h"

#define PLINTH_SIMD_INT8
#include "tensor/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/cpu/amx_gemm.cpp"

#include <algorithm>
#include <vector>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "core/check.h"
#include "tensor/cpu/amx.h"
#include "tensor/cpu/amx_pack-inl.h"
#include "tensor/cpu/amx_tiles-inl.h"
#include "tensor/cpu/parallel.h"
#include "tensor/cpu/upcoming.h"

#ifndef PLINTH_TENSOR_CPU_AMX_GEMM_ONCE_
#define PLINTH_TENSOR_CPU_AMX_GEMM_ONCE_

namespace plinth::tensor::cpu {

// Depth of the columns that lie packed in L1 (48 KiB) while rows pass over them, by parts of b:
// they and a group of rows of two parts fit together. Interleaved weights need whole chunks of 256.
constexpr int64_t depth_block(int b_parts) {
  return b_parts == 1 ? 512 : 128;
}

// What C's tiles of 32 x 32 of a task take, and the block of rows that passes over its columns,
// stay in L2 (2 MiB) together.
constexpr int64_t kGroupFloats = int64_t{32} * 32;
constexpr int64_t kSumsMax = (int64_t{768} << 10) / (4 * kGroupFloats);

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

// Some groups of columns of an output, times `row_groups` groups of rows of a.
struct ColumnTask {
  const ProductOutput* output = nullptr;
  int64_t col = 0, cols = 0;
  int64_t row_group = 0, row_groups = 0;
  int64_t row0 = 0;    // of the pass: what its first row is in C
  int64_t depth0 = 0;  // of the pass
  bool add = false;
};

}  // namespace plinth::tensor::cpu
#endif

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX3_DL && defined(__x86_64__)

bool usable() {
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

// sums [row group][column group] to C.
void store_sums(const ColumnTask& task, int64_t rows, const float* sums) {
  const Tag d;
  const int64_t groups = (task.cols + kGroup - 1) / kGroup;
  for (int64_t r = 0; r < rows; ++r) {
    float* to = task.output->c.row(task.row0 + task.row_group * kGroup + r) + task.col;
    const float* from = sums + r / kGroup * groups * kGroupFloats +
                        r % kGroup / kTileSide * 2 * kTileFloats + r % kTileSide * kTileSide;
    int64_t c = 0;
    for (; c + kTileSide <= task.cols; c += kTileSide) {
      auto sum = hn::Load(d, from + c / kTileSide % 2 * kTileFloats + c / kGroup * kGroupFloats);
      if (task.add) sum = hn::Add(sum, hn::LoadU(d, to + c));
      hn::StoreU(sum, d, to + c);
    }
    const float* rest = from + c / kTileSide % 2 * kTileFloats + c / kGroup * kGroupFloats;
    for (int64_t j = 0; c + j < task.cols; ++j) to[c + j] = (task.add ? to[c + j] : 0) + rest[j];
  }
}

// A block of rows stays in L2 while all columns of the task pass, and so do the task's sums: only
// columns come from further away, once.
template <class S>
void multiply_columns(const PackedRows& packed, const ColumnTask& task, S) {
  alignas(64) uint8_t columns[depth_block(S::kB) / kStep * S::kB * kPartBytes];
  const int64_t groups = (task.cols + kGroup - 1) / kGroup;
  thread_local Buffer sums, scratch;
  sums.resize(groups * task.row_groups * kGroupFloats);
  scratch.resize(kGroup * packed.block);
  const auto cols_of = [&](int64_t group) {
    return std::min<int64_t>(kGroup, task.cols - group * kGroup);
  };
  const auto depth_of = [&](int64_t at) {
    return std::min(packed.block, packed.depth - at * packed.block);
  };
  const WholeTiles tiles;
  for (int64_t at = 0; at < packed.blocks(); ++at) {
    for (int64_t group = 0; group < groups; ++group) {
      const int64_t depth0 = task.depth0 + at * packed.block;
      pack_columns<S::kB>(task.output->b, task.col + group * kGroup, cols_of(group), depth0,
                          depth_of(at), scratch.data(), columns);
      const bool turn = group + 1 == groups;
      const int64_t next = turn ? 0 : group + 1;
      const int64_t next_at = std::min(turn ? at + 1 : at, packed.blocks() - 1);
      Upcoming upcoming(task.output->b, task.col + next * kGroup, cols_of(next),
                        task.depth0 + next_at * packed.block, depth_of(next_at));
      const int64_t lines = (upcoming.lines() + task.row_groups - 1) / task.row_groups;
      for (int64_t row = 0; row < task.row_groups; ++row) {
        float* c = sums.data() + (row * groups + group) * kGroupFloats;
        upcoming.fetch(lines);
        begin_tiles(c, at > 0);
        multiply_steps<S>(packed.group(at, task.row_group + row), columns, packed.steps(at));
        end_tiles(c);
      }
    }
  }
  store_sums(task, std::min(task.row_groups * kGroup, packed.rows - task.row_group * kGroup),
             sums.data());
}

void column_task(const PackedRows& packed, const ColumnTask& task, Split split) {
  with_split(split, [&](auto s) HWY_ATTR { multiply_columns(packed, task, s); });
}

#else

bool usable() {
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

HWY_EXPORT(usable);
HWY_EXPORT(pack_rows);
HWY_EXPORT(column_task);

// Rows of a pass: a packed block of depth of them is half of L2.
constexpr int64_t pass_rows(Split split) {
  return 1024 / a_parts(split);
}

// Bytes of packed rows of a pass.
constexpr int64_t kPassBytes = int64_t{16} << 20;
// Tasks for each thread, at least: one that is interrupted holds up the others by a part.
constexpr int64_t kTasksOfThread = 3;

Split split_for(DType type, AmxRounding rounding) {
  if (rounding == AmxRounding::kBoth) return Split::kNone;
  return type == DType::kBF16 ? Split::kByBF16 : Split::kByF16;
}

int64_t groups_of(int64_t n) {
  return (n + 31) / 32;
}

// All columns of all outputs, cut so that a task's sums fit and every thread gets its part.
std::vector<ColumnTask> tasks_of(int64_t row, const PackedRows& packed, int64_t depth0,
                                 std::span<const ProductOutput> outputs) {
  int64_t columns = 0;  // groups
  for (const auto& output : outputs) columns += groups_of(output.n);
  const int64_t threads = compute_pool().threads();
  const int64_t most = std::max<int64_t>(1, kSumsMax / packed.groups());
  const int64_t rounds =
      std::max(kTasksOfThread, (columns + threads * most - 1) / (threads * most));
  const int64_t chunk = (columns + threads * rounds - 1) / (threads * rounds);
  const int64_t cuts = std::clamp<int64_t>(threads * kTasksOfThread / columns, 1, packed.groups());
  const int64_t cut = (packed.groups() + cuts - 1) / cuts;

  std::vector<ColumnTask> tasks;
  for (const auto& output : outputs) {
    for (int64_t group = 0; group < groups_of(output.n); group += chunk) {
      for (int64_t first = 0; first < packed.groups(); first += cut) {
        tasks.push_back({.output = &output,
                         .col = group * 32,
                         .cols = std::min(chunk * 32, output.n - group * 32),
                         .row_group = first,
                         .row_groups = std::min(cut, packed.groups() - first),
                         .row0 = row,
                         .depth0 = depth0,
                         .add = output.accumulate || depth0 > 0});
      }
    }
  }
  return tasks;
}

// A pass: rows [row, row + rows) and depth [depth0, depth0 + depth) of all outputs.
void multiply_pass(const Strided& a, int64_t row, PackedRows packed, int64_t depth0,
                   std::span<const ProductOutput> outputs, Split split) {
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

  const auto tasks = tasks_of(row, packed, depth0, outputs);
  parallel(std::ssize(tasks), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      HWY_DYNAMIC_DISPATCH(column_task)(packed, tasks[static_cast<size_t>(i)], split);
  });
}

void multiply_alike(int64_t m, int64_t k, const Strided& a, std::span<const ProductOutput> outputs,
                    Split split) {
  PackedRows packed;
  packed.block = depth_block(b_parts(split));
  packed.step_bytes = int64_t{2048} * a_parts(split);
  // The depth of a pass is that of a full one: where sums are cut must not depend on the rows.
  const int64_t step =
      groups_of(pass_rows(split)) * packed.step_bytes / 32;  // bytes of one of depth
  const int64_t pass = std::max<int64_t>(1, kPassBytes / step / packed.block) * packed.block;
  for (int64_t row = 0; row < m; row += pass_rows(split)) {
    packed.rows = std::min(pass_rows(split), m - row);
    for (int64_t depth0 = 0; depth0 < k; depth0 += pass) {
      packed.depth = std::min(pass, k - depth0);
      multiply_pass(a, row, packed, depth0, outputs, split);
    }
  }
}

}  // namespace

bool amx_multiply_usable() {
  return HWY_DYNAMIC_DISPATCH(usable)();
}

void amx_multiply(int64_t m, int64_t k, const Strided& a, std::span<const ProductOutput> outputs,
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
