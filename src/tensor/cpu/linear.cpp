// The three products of a linear layer: which kernel takes which shape.
#include "tensor/cpu/linear.h"

#include <algorithm>
#include <vector>

#include "core/check.h"
#include "tensor/cpu/amx_gemm.h"
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

enum class Kernel : uint8_t { kInt8, kDots, kTiles, kVectors };

Stored stored(Weight w, bool turned) {
  return {static_cast<const uint8_t*>(w.data), w.type, row_bytes(w.type, w.cols), turned, w.panel};
}

Kernel exact_kernel(int64_t rows) {
  if (rows < kDotRows) return Kernel::kDots;
  return amx_multiply_usable() ? Kernel::kTiles : Kernel::kVectors;
}

// Of `linear`. F32 weights stay whole there: a request's logits are the same in any company to the
// rounding of float32, which by parts they would not be.
Kernel kernel(int64_t rows, DType type) {
  if (type == DType::kF32) return rows < kDotRows ? Kernel::kDots : Kernel::kVectors;
  if (!is_quantised(type)) return exact_kernel(rows);
  return rows > kRowsAlone && amx_multiply_usable() ? Kernel::kTiles : Kernel::kInt8;
}

void check_shapes(ConstMatrix x, Weight w, Matrix y) {
  PLINTH_CHECK(x.cols == w.cols && y.rows == x.rows && y.cols == w.rows,
               "linear: x [{}, {}], w [{}, {}], y [{}, {}]", x.rows, x.cols, w.rows, w.cols, y.rows,
               y.cols);
}

// a [m, k] times all outputs in floats, by tiles or by vectors.
void multiply_floats(int64_t m, int64_t k, const Strided& a,
                     std::span<const ProductOutput> outputs) {
  for (const auto& output : outputs)
    PLINTH_CHECK(output.b.panel == 0 || is_quantised(output.b.type),
                 "a product in floats of {} in panels of {}", dtype_name(output.b.type),
                 output.b.panel);
  // A product of few rows or little depth does not repay packing both factors for tiles.
  if (std::min(m, k) < kDotRows || !amx_multiply_usable()) return multiply(m, k, a, outputs);
  amx_multiply(m, k, a, outputs, AmxRounding::kNone);
}

void multiply_floats(int64_t m, int64_t k, const Strided& a, const ProductOutput& output) {
  multiply_floats(m, k, a, {&output, 1});
}

Strided strided(ConstMatrix x) {
  return {x.data, x.stride, 1};
}

std::vector<ProductOutput> products(std::span<const LinearOutput> outputs) {
  std::vector<ProductOutput> all;
  all.reserve(outputs.size());
  for (const auto& o : outputs) all.push_back({stored(o.w, true), o.w.rows, o.y, o.accumulate});
  return all;
}

}  // namespace

int panel(DType type) {
  return is_quantised(type) ? int8_panel(type) : 0;
}

void linear(ConstMatrix x, Weight w, Matrix y, bool accumulate) {
  const LinearOutput output = {w, y, accumulate};
  linear_shared(x, {&output, 1});
}

void linear_shared(ConstMatrix x, std::span<const LinearOutput> outputs) {
  for (const auto& o : outputs) check_shapes(x, o.w, o.y);
  while (!outputs.empty()) {
    const DType type = outputs[0].w.type;
    size_t alike = 1;
    while (alike < outputs.size() && outputs[alike].w.type == type) ++alike;
    const auto some = outputs.first(alike);
    outputs = outputs.subspan(alike);
    switch (kernel(x.rows, type)) {
      case Kernel::kInt8:
        linear_by_int8(x, some);
        break;
      case Kernel::kTiles:
        amx_multiply(x.rows, x.cols, strided(x), products(some),
                     is_quantised(type) ? AmxRounding::kBoth : AmxRounding::kNone);
        break;
      case Kernel::kDots:
        linear_by_dots(x, some);
        break;
      case Kernel::kVectors:
        multiply(x.rows, x.cols, strided(x), products(some));
        break;
    }
  }
}

void linear_exact(ConstMatrix x, Weight w, Matrix y, bool accumulate) {
  check_shapes(x, w, y);
  if (x.rows < kDotRows) return linear_by_dots(x, w, y, accumulate);
  multiply_floats(x.rows, x.cols, strided(x), {stored(w, true), w.rows, y, accumulate});
}

void linear_exact_shared(ConstMatrix x, std::span<const LinearOutput> outputs) {
  for (const auto& o : outputs) check_shapes(x, o.w, o.y);
  if (x.rows < kDotRows) return linear_by_dots(x, outputs);
  multiply_floats(x.rows, x.cols, strided(x), products(outputs));
}

void linear_dx(ConstMatrix dy, Weight w, Matrix dx, bool accumulate) {
  PLINTH_CHECK(dy.cols == w.rows && dx.rows == dy.rows && dx.cols == w.cols,
               "linear_dx: dy [{}, {}], w [{}, {}], dx [{}, {}]", dy.rows, dy.cols, w.rows, w.cols,
               dx.rows, dx.cols);
  multiply_floats(dy.rows, w.rows, strided(dy), {stored(w, false), w.cols, dx, accumulate});
}

void linear_dw(ConstMatrix dy, ConstMatrix x, Matrix dw, bool accumulate) {
  PLINTH_CHECK(dy.rows == x.rows && dw.rows == dy.cols && dw.cols == x.cols,
               "linear_dw: dy [{}, {}], x [{}, {}], dw [{}, {}]", dy.rows, dy.cols, x.rows, x.cols,
               dw.rows, dw.cols);
  const Stored right = {reinterpret_cast<const uint8_t*>(x.data), DType::kF32,
                        static_cast<size_t>(x.stride) * sizeof(float), false};
  multiply_floats(dy.cols, dy.rows, {dy.data, 1, dy.stride}, {right, x.cols, dw, accumulate});
}

}  // namespace plinth::tensor::cpu
