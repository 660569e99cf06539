// What the tests of operations start from: matrices with traps around them, stored weights, and a
// run on every SIMD target that this machine has.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/rng.h"
#define PLINTH_SIMD_INT8  // the targets of the integer kernels too
#include "tensor/cpu/simd.h"
#include "tensor/ops.h"
#include "tensor/tensor.h"

namespace plinth::tensor {

// Around 0 and 1, around the lanes of every target (1, 4, 8, 16), odd, and past every block.
inline constexpr int64_t kSizes[] = {0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 64, 150};

// A matrix with its memory. `gap` unused columns after each row hold NaN: who reads them is caught,
// and who writes them too.
struct Grid {
  Grid(int64_t rows, int64_t cols, int64_t gap = 0)
      : values(static_cast<size_t>(rows * (cols + gap)), std::nanf("")),
        shape{nullptr, rows, cols, cols + gap} {}

  Matrix view() { return {values.data(), shape.rows, shape.cols, shape.stride}; }

  ConstMatrix read() const { return {values.data(), shape.rows, shape.cols, shape.stride}; }

  void fill(float value) {
    for (int64_t r = 0; r < shape.rows; ++r)
      std::fill_n(values.data() + r * shape.stride, shape.cols, value);
  }

  std::vector<float> values;
  Matrix shape;
};

inline void randomise(Rng& rng, std::span<float> out) {
  for (float& x : out) x = static_cast<float>(rng.normal());
}

inline Grid random_grid(Rng& rng, int64_t rows, int64_t cols, int64_t gap = 0) {
  Grid grid(rows, cols, gap);
  for (int64_t r = 0; r < rows; ++r)
    randomise(rng, {grid.values.data() + r * grid.shape.stride, static_cast<size_t>(cols)});
  return grid;
}

inline std::vector<float> random_values(Rng& rng, int64_t n) {
  std::vector<float> values(static_cast<size_t>(n));
  randomise(rng, values);
  return values;
}

// Every value within `bound` of the reference, relative to the largest of the reference; what lies
// between the rows is untouched.
inline void expect_close(const Grid& got, const Grid& want, double bound, const std::string& what) {
  double scale = 1e-30;
  double worst = 0;
  for (int64_t r = 0; r < want.shape.rows; ++r) {
    for (int64_t c = 0; c < want.shape.stride; ++c) {
      const double a = got.values[r * want.shape.stride + c];
      const double b = want.values[r * want.shape.stride + c];
      if (c >= want.shape.cols) {
        ASSERT_TRUE(std::isnan(a)) << what << ": wrote past row " << r;
        continue;
      }
      ASSERT_TRUE(std::isfinite(a)) << what << ": " << a << " at " << r << ", " << c;
      scale = std::max(scale, std::abs(b));
      worst = std::max(worst, std::abs(a - b));
    }
  }
  EXPECT_LE(worst / scale, bound) << what;
}

inline void expect_close(std::span<const float> got, std::span<const float> want, double bound,
                         const std::string& what) {
  Grid a(1, static_cast<int64_t>(got.size()));
  Grid b(1, static_cast<int64_t>(want.size()));
  std::copy(got.begin(), got.end(), a.values.begin());
  std::copy(want.begin(), want.end(), b.values.begin());
  expect_close(a, b, bound, what);
}

// A weight of any type with its bytes, at an address that is not aligned.
struct StoredWeight {
  StoredWeight(Rng& rng, DType type, int64_t rows, int64_t cols, size_t offset)
      : bytes(row_bytes(type, cols) * rows + offset) {
    const auto values = random_values(rng, rows * cols);
    std::vector<uint8_t> aligned(row_bytes(type, cols) * rows + 1);
    from_f32(values.data(), rows * cols, type, aligned.data());
    std::copy(aligned.begin(), aligned.end() - 1, bytes.begin() + static_cast<int64_t>(offset));
    view = {bytes.data() + offset, type, rows, cols};
  }

  std::vector<uint8_t> bytes;
  Weight view;
};

// The types that a row of `cols` elements can have.
inline std::vector<DType> stored_types(int64_t cols) {
  std::vector<DType> types;
  for (const auto& of : kDTypes) {
    if (cols % of.block == 0) types.push_back(of.type);
  }
  return types;
}

// The bound that ops.h gives for a quantised weight, element by element.
inline void expect_within_rounding(const Grid& x, const Weight& w, const Grid& got,
                                   const Grid& want, const std::string& what) {
  std::vector<float> row(static_cast<size_t>(w.cols));
  for (int64_t n = 0; n < w.rows; ++n) {
    to_f32(static_cast<const uint8_t*>(w.data) + row_bytes(w.type, w.cols) * n, w.type, w.cols,
           row.data());
    for (int64_t m = 0; m < x.shape.rows; ++m) {
      const float* in = x.read().row(m);
      double bound = 1e-6;  // what was there before when accumulating
      for (int64_t block = 0; block < w.cols; block += 32) {
        double peak = 0, weights = 0;
        for (int64_t k = block; k < block + 32; ++k) {
          peak = std::max(peak, std::abs(double{in[k]}));
          weights += std::abs(double{row[static_cast<size_t>(k)]});
          bound += 1e-5 * std::abs(double{in[k]} * row[static_cast<size_t>(k)]);
        }
        bound += peak / 254 * weights;
      }
      ASSERT_NEAR(got.read().row(m)[n], want.read().row(m)[n], bound)
          << what << " at " << m << ", " << n;
    }
  }
}

inline std::vector<int64_t> machine_targets() {
  std::vector<int64_t> targets;
  hwy::SetSupportedTargetsForTest(0);
  for (int64_t left = hwy::SupportedTargets() & HWY_TARGETS; left != 0; left &= left - 1)
    targets.push_back(left & -left);
  return targets;
}

class OpsTest : public testing::TestWithParam<int64_t> {
 protected:
  OpsTest() {
    // Files without integer kernels have nothing for AVX3_DL and take AVX3.
    hwy::SetSupportedTargetsForTest(GetParam() == HWY_AVX3_DL ? HWY_AVX3_DL | HWY_AVX3
                                                              : GetParam());
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }

  ~OpsTest() override {
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }

  const Ops& cpu = cpu_ops();
  const Ops& ref = ref_ops();
  Rng rng{7};
};

}  // namespace plinth::tensor
