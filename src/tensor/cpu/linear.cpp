// The three products of a linear layer: which kernel takes which shape.
#include "tensor/cpu/linear.h"

#include "core/check.h"
#include "tensor/cpu/dot.h"
#include "tensor/cpu/gemm_types.h"
#include "tensor/cpu/int8_linear.h"

namespace plinth::tensor::cpu {
namespace {

// Below this many rows packing the weight costs more than the register tile wins back. Measured on
// a [1024, 1024] weight against a limit of 16, interleaved: with AVX2 dots take half the time at 16
// rows and 0.6 of it at 24 and 31; with AVX-512 0.7 at 16, the same at 24, and no clear winner
// at 31.
constexpr int64_t kDotRows = 32;

Stored stored(Weight w, bool turned) {
  PLINTH_CHECK(w.panel == 0, "a product in floats of a weight in panels of {}", w.panel);
  return {static_cast<const uint8_t*>(w.data), w.type, row_bytes(w.type, w.cols), turned};
}

void check_shapes(ConstMatrix x, Weight w, Matrix y) {
  PLINTH_CHECK(x.cols == w.cols && y.rows == x.rows && y.cols == w.rows,
               "linear: x [{}, {}], w [{}, {}], y [{}, {}]", x.rows, x.cols, w.rows, w.cols, y.rows,
               y.cols);
}

void linear_by_floats(ConstMatrix x, Weight w, Matrix y, bool accumulate) {
  if (x.rows < kDotRows) return linear_by_dots(x, w, y, accumulate);
  multiply({x.rows, w.rows, x.cols, {x.data, x.stride, 1}, stored(w, true), y, accumulate});
}

}  // namespace

int panel(DType type) {
  return is_quantised(type) ? int8_panel(type) : 0;
}

void linear(ConstMatrix x, Weight w, Matrix y, bool accumulate) {
  check_shapes(x, w, y);
  if (is_quantised(w.type)) return linear_by_int8(x, w, y, accumulate);
  linear_by_floats(x, w, y, accumulate);
}

void linear_exact(ConstMatrix x, Weight w, Matrix y, bool accumulate) {
  check_shapes(x, w, y);
  linear_by_floats(x, w, y, accumulate);
}

void linear_dx(ConstMatrix dy, Weight w, Matrix dx, bool accumulate) {
  PLINTH_CHECK(dy.cols == w.rows && dx.rows == dy.rows && dx.cols == w.cols,
               "linear_dx: dy [{}, {}], w [{}, {}], dx [{}, {}]", dy.rows, dy.cols, w.rows, w.cols,
               dx.rows, dx.cols);
  multiply({dy.rows, w.cols, w.rows, {dy.data, dy.stride, 1}, stored(w, false), dx, accumulate});
}

void linear_dw(ConstMatrix dy, ConstMatrix x, Matrix dw, bool accumulate) {
  PLINTH_CHECK(dy.rows == x.rows && dw.rows == dy.cols && dw.cols == x.cols,
               "linear_dw: dy [{}, {}], x [{}, {}], dw [{}, {}]", dy.rows, dy.cols, x.rows, x.cols,
               dw.rows, dw.cols);
  const Stored right = {reinterpret_cast<const uint8_t*>(x.data), DType::kF32,
                        static_cast<size_t>(x.stride) * sizeof(float), false};
  multiply({dy.cols, x.cols, dy.rows, {dy.data, 1, dy.stride}, right, dw, accumulate});
}

}  // namespace plinth::tensor::cpu
