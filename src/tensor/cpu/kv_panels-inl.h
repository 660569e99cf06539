// Paged keys and values to panels of floats, as the register tile reads its right factor. Included
// once per Highway target.
#if defined(PLINTH_TENSOR_CPU_KV_PANELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PLINTH_TENSOR_CPU_KV_PANELS_INL_H_
#undef PLINTH_TENSOR_CPU_KV_PANELS_INL_H_
#else
#define PLINTH_TENSOR_CPU_KV_PANELS_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "tensor/cpu/decode-inl.h"
#include "tensor/cpu/gemm_kernel-inl.h"
#include "tensor/cpu/paged_types.h"
#include "tensor/half.h"
#include "tensor/kv_cache.h"

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

// The keys and values that one kv head has of one sequence.
class KvReader {
 public:
  KvReader(const PagedCall& call, const int32_t* table, int64_t kv_head)
      : d(call.shape.head_dim),
        block_tokens(call.kv.block_tokens),
        codes(kv_scale_bytes(call.kv.type, d, block_tokens)),
        table_(table),
        head_bytes_(call.head_bytes),
        block_bytes_(call.head_bytes * call.shape.kv_heads),
        keys_(bytes(call.kv.k_pool) + call.head_bytes * kv_head),
        values_(bytes(call.kv.v_pool) + call.head_bytes * kv_head) {}

  // The head's part of the block that token t is in.
  const uint8_t* keys(int64_t t) const { return keys_ + block(t) * block_bytes_; }

  const uint8_t* values(int64_t t) const { return values_ + block(t) * block_bytes_; }

  int64_t head_bytes() const { return head_bytes_; }

  const int64_t d;
  const int64_t block_tokens;
  const int64_t codes;  // Q8: bytes of scales before the codes

 private:
  static const uint8_t* bytes(const std::byte* p) { return reinterpret_cast<const uint8_t*>(p); }

  int64_t block(int64_t t) const { return table_[t / block_tokens]; }

  const int32_t* table_;
  int64_t head_bytes_;
  int64_t block_bytes_;
  const uint8_t* keys_;
  const uint8_t* values_;
};

enum class KvPart { kKeys, kValues };

// Fetches what a kv head has in the blocks of tokens [first, end), little by little. Blocks lie
// anywhere, so the processor cannot know the next one.
template <KvType kType>
class KvAhead {
 public:
  KvAhead(const KvReader& kv, KvPart part, int64_t first, int64_t end)
      : kv_(kv), part_(part), token_(first / kv.block_tokens * kv.block_tokens), end_(end) {
    next_block();
  }

  // As many lines as kNr tokens take for one element of a head: called at each step of depth, it
  // fetches as much as is used.
  void fetch() {
    constexpr int64_t kLines = (kNr * kv_element_bytes(kType) + 63) / 64;
    for (int i = 0; i < kLines && left_ > 0; ++i) {
      hwy::Prefetch(at_);
      at_ += 64;
      if (--left_ == 0) next_block();
    }
  }

 private:
  void next_block() {
    if (token_ >= end_) return;
    at_ = part_ == KvPart::kKeys ? kv_.keys(token_) : kv_.values(token_);
    left_ = kv_.head_bytes() / 64;
    token_ += kv_.block_tokens;
  }

  KvReader kv_;
  KvPart part_;
  int64_t token_, end_;
  const uint8_t* at_ = nullptr;
  int64_t left_ = 0;  // lines of this block
};

HWY_INLINE Vector load_codes(const uint8_t* p) {
  const hn::Rebind<int8_t, Tag> narrow;
  return hn::ConvertTo(kTag, hn::PromoteTo(hn::RebindToSigned<Tag>(), load_bytes(narrow, p)));
}

HWY_INLINE float f16_at(const uint8_t* p) {
  uint16_t bits;
  std::memcpy(&bits, p, sizeof bits);
  return f16_to_f32(bits);
}

template <KvType kType>
HWY_INLINE Vector load_plain(const uint8_t* part, int64_t index) {
  if constexpr (kType == KvType::kF32) {
    return load_stored<DType::kF32>(part + index * 4);
  } else {
    return load_stored<DType::kF16>(part + index * 2);
  }
}

// kLanes keys from `slot` on, turned: element i of all of them at out + i * kNr.
template <KvType kType>
HWY_INLINE void turn_keys(const KvReader& kv, const uint8_t* part, int64_t slot, float* out) {
  if constexpr (kType == KvType::kQ8) {
    for (int64_t g = 0; g < kv_groups(kv.d); ++g) {
      const Vector scale = load_stored<DType::kF16>(part + 2 * (g * kv.block_tokens + slot));
      const int64_t end = std::min(kv.d, (g + 1) * kKvGroup);
      for (int64_t i = g * kKvGroup; i < end; ++i) {
        const Vector code = load_codes(part + kv.codes + i * kv.block_tokens + slot);
        hn::StoreU(hn::Mul(code, scale), kTag, out + i * kNr);
      }
    }
  } else {
    for (int64_t i = 0; i < kv.d; ++i)
      hn::StoreU(load_plain<kType>(part, i * kv.block_tokens + slot), kTag, out + i * kNr);
  }
}

// One panel [d, kNr]: key first + c in column c. Columns from n on have no meaning.
template <KvType kType>
HWY_INLINE void unpack_keys(const KvReader& kv, int64_t first, int64_t n, float* out) {
  for (int64_t c = 0; c < n;) {
    const int64_t slot = (first + c) % kv.block_tokens;
    const int64_t width = std::min(kv.block_tokens - slot, kNr - c);
    const uint8_t* part = kv.keys(first + c);
    int64_t j = 0;
    for (; j + kLanes <= width; j += kLanes) turn_keys<kType>(kv, part, slot + j, out + c + j);
    for (; j < width; ++j) {  // blocks of fewer tokens than lanes
      for (int64_t i = 0; i < kv.d; ++i) {
        const int64_t at = i * kv.block_tokens + slot + j;
        float& to = out[i * kNr + c + j];
        if constexpr (kType == KvType::kQ8) {
          const int64_t scale = i / kKvGroup * kv.block_tokens + slot + j;
          to = f16_at(part + 2 * scale) * static_cast<int8_t>(part[kv.codes + at]);
        } else if constexpr (kType == KvType::kF16) {
          to = f16_at(part + 2 * at);
        } else {
          std::memcpy(&to, part + 4 * at, sizeof to);
        }
      }
    }
    c += width;
  }
}

// One value of d elements to out[i / kNr * panel_step + i % kNr]; scales [groups]: Q8 only.
template <KvType kType>
HWY_INLINE void unpack_value(const KvReader& kv, const uint8_t* part, int64_t slot,
                             const float* scales, int64_t panel_step, float* out) {
  int64_t i = 0;
  for (; i + kLanes <= kv.d; i += kLanes) {
    Vector x;
    if constexpr (kType == KvType::kQ8) {
      x = hn::Mul(load_codes(part + kv.codes + slot * kv.d + i),
                  hn::Set(kTag, scales[i / kKvGroup]));
    } else {
      x = load_plain<kType>(part, slot * kv.d + i);
    }
    hn::StoreU(x, kTag, out + i / kNr * panel_step + i % kNr);
  }
  for (; i < kv.d; ++i) {
    const int64_t at = slot * kv.d + i;
    float& to = out[i / kNr * panel_step + i % kNr];
    if constexpr (kType == KvType::kQ8) {
      to = scales[i / kKvGroup] * static_cast<int8_t>(part[kv.codes + at]);
    } else if constexpr (kType == KvType::kF16) {
      to = f16_at(part + 2 * at);
    } else {
      std::memcpy(&to, part + 4 * at, sizeof to);
    }
  }
}

// Values first .. first + n - 1 as panels [n, kNr] of d, panel_step floats apart. Columns from d on
// have no meaning.
template <KvType kType>
HWY_INLINE void unpack_values(const KvReader& kv, int64_t first, int64_t n, int64_t panel_step,
                              float* out) {
  constexpr int64_t kScales = 256;
  HWY_ALIGN float scales[kScales];
  const int64_t groups = kv_groups(kv.d);
  for (int64_t t = 0; t < n;) {
    const int64_t slot = (first + t) % kv.block_tokens;
    int64_t run = std::min(kv.block_tokens - slot, n - t);
    const uint8_t* part = kv.values(first + t);
    if constexpr (kType == KvType::kQ8) {
      run = std::min(run, kScales / groups);
      decode_simple<DType::kF16>(part + 2 * slot * groups, run * groups, scales);
    }
    for (int64_t r = 0; r < run; ++r)
      unpack_value<kType>(kv, part, slot + r, scales + r * groups, panel_step, out + (t + r) * kNr);
    t += run;
  }
}

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#endif
