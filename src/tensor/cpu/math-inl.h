// exp and sine/cosine by vectors. Included once per Highway target.
#if defined(PLINTH_TENSOR_CPU_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PLINTH_TENSOR_CPU_MATH_INL_H_
#undef PLINTH_TENSOR_CPU_MATH_INL_H_
#else
#define PLINTH_TENSOR_CPU_MATH_INL_H_
#endif

#include <cstdint>

#include <hwy/highway.h>

#include "tensor/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();

namespace plinth::tensor::cpu::HWY_NAMESPACE {

// e^x to 2e-7 relative. Below -87.3 the result is 0, above 88.3 it stays at e^88.3; NaN stays NaN.
//
// x = n ln 2 + r with |r| <= ln 2 / 2, and e^r by its series to r^7: the first term left out is
// 0.35^8 / 8! = 5e-9. ln 2 is split in two, so that n * (first part) is exact.
HWY_INLINE Vector exp_of(Vector x) {
  const Tag d;
  const hn::RebindToSigned<Tag> di;
  const Vector low = hn::Set(d, -87.3f);
  // The operand order matters: x86 min and max return the second operand for NaN.
  const Vector clamped = hn::Min(hn::Set(d, 88.3f), hn::Max(low, x));
  const auto n = hn::NearestInt(hn::Mul(clamped, hn::Set(d, 1.44269504f)));
  const Vector nf = hn::ConvertTo(d, n);
  Vector r = hn::NegMulAdd(nf, hn::Set(d, 0.693359375f), clamped);
  r = hn::NegMulAdd(nf, hn::Set(d, -2.12194440e-4f), r);
  Vector p = hn::Set(d, 1.0f / 5040);
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f / 720));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f / 120));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f / 24));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f / 6));
  p = hn::MulAdd(p, r, hn::Set(d, 0.5f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
  const auto power = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(n, hn::Set(di, 127))));
  return hn::IfThenZeroElse(hn::Lt(x, low), hn::Mul(p, power));
}

using Wide = hn::ScalableTag<double>;
using WideVector = hn::Vec<Wide>;

// c = cos, s = sin of an angle below 2^30, in double: positions times frequencies need the range.
//
// angle = n pi/2 + r with |r| <= pi/4; the series of sine and cosine to r^13 and r^14 are good to
// 1e-12; n modulo 4 says which is which and with what sign.
HWY_INLINE void cos_sin_of(WideVector angle, WideVector& c, WideVector& s) {
  const Wide d;
  const auto set = [&](double value) HWY_ATTR { return hn::Set(d, value); };
  const WideVector n = hn::Round(hn::Mul(angle, set(0.63661977236758134308)));
  WideVector r = hn::NegMulAdd(n, set(1.57079632673412561417), angle);  // 33 bits of pi/2: exact
  r = hn::NegMulAdd(n, set(6.07710050650619224932e-11), r);
  const WideVector r2 = hn::Mul(r, r);
  WideVector ps = set(1.0 / 6227020800);
  ps = hn::MulAdd(ps, r2, set(-1.0 / 39916800));
  ps = hn::MulAdd(ps, r2, set(1.0 / 362880));
  ps = hn::MulAdd(ps, r2, set(-1.0 / 5040));
  ps = hn::MulAdd(ps, r2, set(1.0 / 120));
  ps = hn::MulAdd(ps, r2, set(-1.0 / 6));
  const WideVector sine = hn::MulAdd(hn::Mul(ps, r2), r, r);
  WideVector pc = set(-1.0 / 87178291200);
  pc = hn::MulAdd(pc, r2, set(1.0 / 479001600));
  pc = hn::MulAdd(pc, r2, set(-1.0 / 3628800));
  pc = hn::MulAdd(pc, r2, set(1.0 / 40320));
  pc = hn::MulAdd(pc, r2, set(-1.0 / 720));
  pc = hn::MulAdd(pc, r2, set(1.0 / 24));
  pc = hn::MulAdd(pc, r2, set(-0.5));
  const WideVector cosine = hn::MulAdd(pc, r2, set(1.0));
  // quarter = n mod 4 in [0, 4); 1 and 3 swap sine and cosine, 1 and 2 negate cosine, 2 and 3 sine.
  const WideVector quarter = hn::NegMulAdd(hn::Floor(hn::Mul(n, set(0.25))), set(4.0), n);
  const auto swap = hn::Or(hn::Eq(quarter, set(1.0)), hn::Eq(quarter, set(3.0)));
  const auto minus_c = hn::Or(hn::Eq(quarter, set(1.0)), hn::Eq(quarter, set(2.0)));
  const WideVector c0 = hn::IfThenElse(swap, sine, cosine);
  const WideVector s0 = hn::IfThenElse(swap, cosine, sine);
  c = hn::IfThenElse(minus_c, hn::Neg(c0), c0);
  s = hn::IfThenElse(hn::Ge(quarter, set(2.0)), hn::Neg(s0), s0);
}

}  // namespace plinth::tensor::cpu::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#endif
