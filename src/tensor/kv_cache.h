// Where a token's keys and values lie inside a block, and the plain way to write and read them.
//
// The part of one kv head in a block of T tokens, D = head_dim:
//
//             keys                    values
//   F32, F16  [D, T]                  [T, D]
//   Q8        scales [D / 32, T] F16  scales [T, D / 32] F16
//             codes [D, T] int8       codes [T, D] int8
//
// Keys are turned, so that the scores of neighbouring tokens are neighbouring lanes: a kernel needs
// no sums over lanes and no transposing. D / 32 is rounded up; the last group may be shorter.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/ops.h"

namespace plinth::tensor {

inline constexpr int64_t kKvGroup = 32;  // elements of a head that share a scale in Q8

constexpr int64_t kv_groups(int64_t head_dim) {
  return (head_dim + kKvGroup - 1) / kKvGroup;
}

// Bytes of one element, or of its code.
constexpr int64_t kv_element_bytes(KvType type) {
  return type == KvType::kF32 ? 4 : type == KvType::kF16 ? 2 : 1;
}

// Bytes before the first code (Q8) or element (0).
constexpr int64_t kv_scale_bytes(KvType type, int64_t head_dim, int64_t block_tokens) {
  return type == KvType::kQ8 ? kv_groups(head_dim) * block_tokens * 2 : 0;
}

// Element i of a token is number first + i * step of its head's part; the scale of group g is
// number scale_first + g * scale_step.
struct KvSlot {
  int64_t first = 0;
  int64_t step = 1;
  int64_t scale_first = 0;
  int64_t scale_step = 1;
};

constexpr KvSlot key_slot(int64_t slot, int64_t block_tokens) {
  return {slot, block_tokens, slot, block_tokens};
}

constexpr KvSlot value_slot(int64_t slot, int64_t head_dim) {
  return {slot * head_dim, 1, slot * kv_groups(head_dim), 1};
}

// One head of one token, head_dim floats; head_part as kv_head_bytes lays them out. Q8: a group
// with a value that is not finite is read back as NaN, all of it.
void write_kv(const float* x, int64_t head_dim, int64_t block_tokens, KvType type,
              const KvSlot& slot, std::byte* head_part);
void read_kv(const std::byte* head_part, int64_t head_dim, int64_t block_tokens, KvType type,
             const KvSlot& slot, float* x);

// Row r of k and v into the cache: one row of store_kv.
void store_kv_row(ConstMatrix k, ConstMatrix v, int64_t r, const int32_t* table, int64_t position,
                  const AttentionShape& shape, const PagedKv& kv);

}  // namespace plinth::tensor
