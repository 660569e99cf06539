// Attention of cpu_ops(); contracts in ops.h.
#pragma once

#include <cstdint>
#include <span>

#include "tensor/ops.h"

namespace plinth::tensor::cpu {

void attention(ConstMatrix q, ConstMatrix k, ConstMatrix v, std::span<const int32_t> segment_starts,
               const AttentionShape& shape, Matrix y, Matrix lse);
void attention_backward(ConstMatrix q, ConstMatrix k, ConstMatrix v, ConstMatrix y, ConstMatrix lse,
                        ConstMatrix dy, std::span<const int32_t> segment_starts,
                        const AttentionShape& shape, Matrix dq, Matrix dk, Matrix dv);
void store_kv(ConstMatrix k, ConstMatrix v, std::span<const int32_t* const> tables,
              std::span<const int32_t> positions, const AttentionShape& shape, PagedKv kv);
void paged_attention(ConstMatrix q, std::span<const int32_t* const> tables,
                     std::span<const int32_t> positions, const AttentionShape& shape, PagedKv kv,
                     Matrix y);

}  // namespace plinth::tensor::cpu
