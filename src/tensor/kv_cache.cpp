#include "tensor/kv_cache.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "tensor/half.h"

namespace plinth::tensor {
namespace {

constexpr std::array<std::pair<KvType, std::string_view>, 3> kNames = {
    {{KvType::kF32, "f32"}, {KvType::kF16, "f16"}, {KvType::kQ8, "q8"}}};

template <typename T>
void put(std::byte* at, int64_t index, T value) {
  std::memcpy(at + index * static_cast<int64_t>(sizeof value), &value, sizeof value);
}

template <typename T>
T get(const std::byte* at, int64_t index) {
  T value;
  std::memcpy(&value, at + index * static_cast<int64_t>(sizeof value), sizeof value);
  return value;
}

// Codes of n values at `codes`, `step` apart; returns the bits of their scale.
uint16_t quantise(const float* x, int64_t n, int64_t step, std::byte* codes) {
  float peak = 0;
  bool finite = true;
  for (int64_t i = 0; i < n; ++i) {
    finite = finite && std::isfinite(x[i]);
    peak = std::max(peak, std::abs(x[i]));
  }
  const uint16_t bits = f32_to_f16(peak / 127);
  const float scale = f16_to_f32(bits);
  if (!finite || !std::isfinite(scale)) {
    for (int64_t i = 0; i < n; ++i) put<int8_t>(codes, i * step, 1);
    return f32_to_f16(std::numeric_limits<float>::quiet_NaN());
  }
  const float inverse = scale > 0 ? 1 / scale : 0;
  for (int64_t i = 0; i < n; ++i) {
    const float code = std::clamp(std::nearbyint(x[i] * inverse), -127.0f, 127.0f);
    put(codes, i * step, static_cast<int8_t>(code));
  }
  return bits;
}

}  // namespace

std::string_view kv_type_name(KvType type) {
  return kNames[static_cast<size_t>(type)].second;
}

std::optional<KvType> parse_kv_type(std::string_view name) {
  for (const auto& [type, known] : kNames) {
    if (known == name) return type;
  }
  return std::nullopt;
}

int64_t kv_head_bytes(KvType type, int64_t head_dim, int64_t block_tokens) {
  const int64_t bytes = kv_scale_bytes(type, head_dim, block_tokens) +
                        head_dim * block_tokens * kv_element_bytes(type);
  return (bytes + 63) / 64 * 64;
}

void write_kv(const float* x, int64_t head_dim, int64_t block_tokens, KvType type,
              const KvSlot& slot, std::byte* head_part) {
  if (type == KvType::kF32) {
    for (int64_t i = 0; i < head_dim; ++i) put(head_part, slot.first + i * slot.step, x[i]);
  } else if (type == KvType::kF16) {
    for (int64_t i = 0; i < head_dim; ++i)
      put(head_part, slot.first + i * slot.step, f32_to_f16(x[i]));
  } else {
    std::byte* codes = head_part + kv_scale_bytes(type, head_dim, block_tokens);
    for (int64_t g = 0; g < kv_groups(head_dim); ++g) {
      const int64_t begin = g * kKvGroup;
      const uint16_t scale = quantise(x + begin, std::min(kKvGroup, head_dim - begin), slot.step,
                                      codes + slot.first + begin * slot.step);
      put(head_part, slot.scale_first + g * slot.scale_step, scale);
    }
  }
}

void read_kv(const std::byte* head_part, int64_t head_dim, int64_t block_tokens, KvType type,
             const KvSlot& slot, float* x) {
  const std::byte* codes = head_part + kv_scale_bytes(type, head_dim, block_tokens);
  for (int64_t i = 0; i < head_dim; ++i) {
    const int64_t at = slot.first + i * slot.step;
    if (type == KvType::kF32) {
      x[i] = get<float>(head_part, at);
    } else if (type == KvType::kF16) {
      x[i] = f16_to_f32(get<uint16_t>(head_part, at));
    } else {
      const int64_t scale = slot.scale_first + i / kKvGroup * slot.scale_step;
      x[i] =
          f16_to_f32(get<uint16_t>(head_part, scale)) * static_cast<float>(get<int8_t>(codes, at));
    }
  }
}

void store_kv_row(ConstMatrix k, ConstMatrix v, int64_t r, const int32_t* table, int64_t position,
                  const AttentionShape& shape, const PagedKv& kv) {
  const int64_t d = shape.head_dim;
  const int64_t bytes = kv_head_bytes(kv.type, d, kv.block_tokens);
  const int64_t block = table[position / kv.block_tokens];
  const int64_t slot = position % kv.block_tokens;
  for (int64_t head = 0; head < shape.kv_heads; ++head) {
    const int64_t at = (block * shape.kv_heads + head) * bytes;
    write_kv(k.row(r) + head * d, d, kv.block_tokens, kv.type, key_slot(slot, kv.block_tokens),
             kv.k_pool + at);
    write_kv(v.row(r) + head * d, d, kv.block_tokens, kv.type, value_slot(slot, d), kv.v_pool + at);
  }
}

}  // namespace plinth::tensor
