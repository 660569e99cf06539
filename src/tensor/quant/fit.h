// The arithmetic of quantising: which scale (and shift) lets codes of a few bits stand for some
// numbers with the least weighted squared error sum w (x - scale q - shift)^2.
//
// For given codes the best scale is a least-squares problem with a closed form; for a given scale
// the best codes are the nearest ones. Neither leads to the best pair from one start, so a range of
// starts is tried, each is taken through both steps, and the best is kept.
#pragma once

#include <cstdint>
#include <span>

namespace plinth::tensor {

// Codes from low to high.
struct CodeRange {
  int low = 0;
  int high = 0;
};

struct Fit {
  float scale = 0;
  float shift = 0;
};

// The nearest integer to `value` inside the range; NaN gives the lowest.
int nearest_code(float value, CodeRange range);

// Writes the codes that come nearest to x under a scale and shift; returns the weighted squared
// error that remains. A scale of 0 gives the codes 0. At most 256 values.
double encode_with(Fit fit, CodeRange range, std::span<const float> x, std::span<const float> w,
                   int8_t* codes);

// x ~ scale q, for a range with low = -high - 1. The scale may be negative: the lowest code then
// stands for the largest value.
float fit_scale(std::span<const float> x, std::span<const float> w, CodeRange range);

// x ~ scale q + shift, codes from 0, scale >= 0. `zero_inside`: the shift is at most 0.
Fit fit_scale_and_shift(std::span<const float> x, std::span<const float> w, int high,
                        bool zero_inside);

}  // namespace plinth::tensor
