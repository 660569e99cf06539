#include "corpus/dedup/minhash_kernel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "corpus/dedup/minhash_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();

namespace plinth::corpus::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Four vectors of functions stay in registers (12 with their tables) while all grams stream past:
// the table is read once per text instead of once per gram.
void min_hash(const uint32_t* HWY_RESTRICT grams, size_t n, const uint32_t* HWY_RESTRICT multiplier,
              const uint32_t* HWY_RESTRICT offset, uint32_t* HWY_RESTRICT mins, size_t functions) {
  const hn::CappedTag<uint32_t, 16> d;  // 4 * 16 = 64 divides the number of functions
  const size_t lanes = hn::Lanes(d);
  for (size_t at = 0; at < functions; at += 4 * lanes) {
    const auto a0 = hn::Load(d, multiplier + at), a1 = hn::Load(d, multiplier + at + lanes);
    const auto a2 = hn::Load(d, multiplier + at + 2 * lanes),
               a3 = hn::Load(d, multiplier + at + 3 * lanes);
    const auto b0 = hn::Load(d, offset + at), b1 = hn::Load(d, offset + at + lanes);
    const auto b2 = hn::Load(d, offset + at + 2 * lanes), b3 = hn::Load(d, offset + at + 3 * lanes);
    auto m0 = hn::Load(d, mins + at), m1 = hn::Load(d, mins + at + lanes);
    auto m2 = hn::Load(d, mins + at + 2 * lanes), m3 = hn::Load(d, mins + at + 3 * lanes);
    for (size_t i = 0; i < n; ++i) {
      const auto gram = hn::Set(d, grams[i]);
      m0 = hn::Min(m0, hn::Add(hn::Mul(gram, a0), b0));
      m1 = hn::Min(m1, hn::Add(hn::Mul(gram, a1), b1));
      m2 = hn::Min(m2, hn::Add(hn::Mul(gram, a2), b2));
      m3 = hn::Min(m3, hn::Add(hn::Mul(gram, a3), b3));
    }
    hn::Store(m0, d, mins + at);
    hn::Store(m1, d, mins + at + lanes);
    hn::Store(m2, d, mins + at + 2 * lanes);
    hn::Store(m3, d, mins + at + 3 * lanes);
  }
}

}  // namespace plinth::corpus::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace plinth::corpus {

HWY_EXPORT(min_hash);

void min_hash_kernel(std::span<const uint32_t> grams, std::span<const uint32_t> multiplier,
                     std::span<const uint32_t> offset, std::span<uint32_t> mins) {
  HWY_DYNAMIC_DISPATCH(min_hash)
  (grams.data(), grams.size(), multiplier.data(), offset.data(), mins.data(), mins.size());
}

}  // namespace plinth::corpus
#endif
