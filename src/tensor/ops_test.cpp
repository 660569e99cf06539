// cpu_ops() against ref_ops(): every entry, on every SIMD target that this machine has.
#include "tensor/ops.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/rng.h"
#include "core/threads.h"
#include "tensor/cpu/amx.h"
#include "tensor/quant/panels.h"
#define PLINTH_SIMD_INT8  // the targets of the integer kernels too
#include "tensor/cpu/simd.h"
#include "tensor/tensor.h"

namespace plinth::tensor {
namespace {

// Around 0 and 1, around the lanes of every target (1, 4, 8, 16), odd, and past every block.
constexpr int64_t kSizes[] = {0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 64, 150};

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

void randomise(Rng& rng, std::span<float> out) {
  for (float& x : out) x = static_cast<float>(rng.normal());
}

Grid random_grid(Rng& rng, int64_t rows, int64_t cols, int64_t gap = 0) {
  Grid grid(rows, cols, gap);
  for (int64_t r = 0; r < rows; ++r)
    randomise(rng, {grid.values.data() + r * grid.shape.stride, static_cast<size_t>(cols)});
  return grid;
}

std::vector<float> random_values(Rng& rng, int64_t n) {
  std::vector<float> values(static_cast<size_t>(n));
  randomise(rng, values);
  return values;
}

// Every value within `bound` of the reference, relative to the largest of the reference; what lies
// between the rows is untouched.
void expect_close(const Grid& got, const Grid& want, double bound, const std::string& what) {
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

void expect_close(std::span<const float> got, std::span<const float> want, double bound,
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
std::vector<DType> stored_types(int64_t cols) {
  std::vector<DType> types;
  for (const auto& of : kDTypes) {
    if (cols % of.block == 0) types.push_back(of.type);
  }
  return types;
}

// The bound that ops.h gives for a quantised weight, element by element.
void expect_within_rounding(const Grid& x, const Weight& w, const Grid& got, const Grid& want,
                            const std::string& what) {
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

std::vector<int64_t> machine_targets() {
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

INSTANTIATE_TEST_SUITE_P(Targets, OpsTest, testing::ValuesIn(machine_targets()),
                         [](const auto& target) { return hwy::TargetName(target.param); });

struct Shape {
  int64_t m, n, k;
};

std::vector<Shape> linear_shapes() {
  std::vector<Shape> shapes;
  for (const int64_t size : kSizes) {
    shapes.push_back({size, 20, 32});
    shapes.push_back({20, size, 32});
    shapes.push_back({3, size, 32});
    shapes.push_back({20, 20, size});
    shapes.push_back({2, 9, size});
  }
  shapes.push_back({150, 100, 288});
  shapes.push_back({300, 33, 544});
  shapes.push_back({2, 40, 1056});
  shapes.push_back({13, 40, 1024});
  shapes.push_back({40, 1024, 64});
  // Quantised: each number of rows that the integer kernels know, blocks of 256 once and often.
  for (const int64_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 33}) {
    shapes.push_back({rows, 9, 256});
    shapes.push_back({rows, 5, 768});
  }
  shapes.push_back({1, 1, 2048});
  return shapes;
}

TEST_P(OpsTest, LinearAndItsGradientsMatchTheReference) {
  for (const Shape s : linear_shapes()) {
    for (const DType type : stored_types(s.k)) {
      for (const bool accumulate : {false, true}) {
        const std::string what =
            fmt::format("{} m {} n {} k {} add {}", dtype_name(type), s.m, s.n, s.k, accumulate);
        const int64_t gap = accumulate ? 5 : 0;
        const StoredWeight w(rng, type, s.n, s.k, accumulate ? 2 : 0);
        const Grid x = random_grid(rng, s.m, s.k, gap);
        Grid y = random_grid(rng, s.m, s.n, gap);
        Grid y_ref = y;
        cpu.linear(x.read(), w.view, y.view(), accumulate);
        ref.linear(x.read(), w.view, y_ref.view(), accumulate);
        if (is_quantised(type)) {
          expect_within_rounding(x, w.view, y, y_ref, "linear " + what);
        } else {
          expect_close(y, y_ref, 1e-5, "linear " + what);
        }

        const Grid dy = random_grid(rng, s.m, s.n, gap);
        Grid dx = random_grid(rng, s.m, s.k, gap);
        Grid dx_ref = dx;
        cpu.linear_dx(dy.read(), w.view, dx.view(), accumulate);
        ref.linear_dx(dy.read(), w.view, dx_ref.view(), accumulate);
        expect_close(dx, dx_ref, 1e-5, "linear_dx " + what);

        if (type != DType::kF32) continue;
        Grid dw = random_grid(rng, s.n, s.k, gap);
        Grid dw_ref = dw;
        cpu.linear_dw(dy.read(), x.read(), dw.view(), accumulate);
        ref.linear_dw(dy.read(), x.read(), dw_ref.view(), accumulate);
        expect_close(dw, dw_ref, 1e-5, "linear_dw " + what);
      }
    }
  }
}

TEST_P(OpsTest, QuantisedLinearGivesTheSameBitsAloneAndInABatch) {
  for (const DType type : stored_types(1280)) {
    if (!is_quantised(type)) continue;
    const StoredWeight w(rng, type, 70, 1280, 1);
    const Grid x = random_grid(rng, 300, 1280, 3);
    Grid together(300, 70);
    cpu.linear(x.read(), w.view, together.view(), false);
    std::vector<std::byte> memory(interleaved_bytes(type, 70, 1280, cpu.panel(type)));
    const Weight panels = interleave(w.view, cpu.panel(type), memory.data());
    Grid of_panels(300, 70);
    cpu.linear(x.read(), panels, of_panels.view(), false);
    expect_close(of_panels, together, 0.0, fmt::format("{} in panels", dtype_name(type)));
    for (const int64_t rows : {1, 7, 16, 31}) {
      Grid alone(rows, 70);
      for (const int64_t first : {0, 5, 250}) {
        cpu.linear(x.read().slice(first, rows), w.view, alone.view(), false);
        for (int64_t r = 0; r < rows; ++r) {
          for (int64_t n = 0; n < 70; ++n)
            ASSERT_EQ(alone.read().row(r)[n], together.read().row(first + r)[n])
                << dtype_name(type) << " rows " << rows << " at " << first + r << ", " << n;
        }
      }
    }
  }
}

// Where there is a matrix unit; elsewhere both are the same.
TEST(MatrixUnit, GivesTheSameBitsAsVectors) {
  Rng rng(12);
  for (const DType type : stored_types(768)) {
    const StoredWeight w(rng, type, 37, 768, 0);
    const Grid x = random_grid(rng, 50, 768);
    Grid with(50, 37);
    Grid without(50, 37);
    cpu_ops().linear(x.read(), w.view, with.view(), false);
    cpu::amx_allowed = false;
    cpu_ops().linear(x.read(), w.view, without.view(), false);
    cpu::amx_allowed = true;
    expect_close(with, without, 0.0, std::string(dtype_name(type)));
  }
}

TEST(ExactOps, KeepTheFloatBoundForEveryType) {
  Rng rng(11);
  for (const DType type : stored_types(512)) {
    const StoredWeight w(rng, type, 30, 512, 0);
    for (const int64_t rows : {1, 40}) {
      const Grid x = random_grid(rng, rows, 512);
      Grid y(rows, 30);
      Grid y_ref(rows, 30);
      exact_ops().linear(x.read(), w.view, y.view(), false);
      ref_ops().linear(x.read(), w.view, y_ref.view(), false);
      expect_close(y, y_ref, 1e-5, fmt::format("{} rows {}", dtype_name(type), rows));
    }
  }
}

TEST_P(OpsTest, QuantisedLinearKeepsABrokenRowVisible) {
  for (const DType type : stored_types(256)) {
    const StoredWeight w(rng, type, 6, 256, 0);
    Grid x = random_grid(rng, 3, 256);
    x.view().row(0)[40] = std::nanf("");
    x.view().row(2)[255] = INFINITY;
    Grid y(3, 6);
    cpu.linear(x.read(), w.view, y.view(), false);
    for (int64_t n = 0; n < 6; ++n) {
      EXPECT_FALSE(std::isfinite(y.read().row(0)[n])) << dtype_name(type);
      EXPECT_TRUE(std::isfinite(y.read().row(1)[n])) << dtype_name(type);
      EXPECT_FALSE(std::isfinite(y.read().row(2)[n])) << dtype_name(type);
    }
  }
}

TEST_P(OpsTest, LinearOverwritesNaNWhenNotAccumulating) {
  const StoredWeight w(rng, DType::kF32, 40, 64, 0);
  for (const int64_t rows : {3, 40}) {
    const Grid x = random_grid(rng, rows, 64);
    Grid y(rows, 40);
    Grid y_ref(rows, 40);
    cpu.linear(x.read(), w.view, y.view(), false);
    ref.linear(x.read(), w.view, y_ref.view(), false);
    expect_close(y, y_ref, 1e-5, "rows " + std::to_string(rows));
  }
}

TEST_P(OpsTest, LowRankMatchesTheReferenceAndARowDependsOnNothingElse) {
  struct Adapter {
    int64_t begin, rows, rank;
    DType type;
  };

  // Many equal segments are handed out whole, few or uneven ones in pieces.
  std::vector<std::vector<Adapter>> cases = {
      {}, {{0, 0, 3, DType::kF32}}, {{0, 1, 16, DType::kF16}}, {{2, 40, 300, DType::kBF16}}};
  cases.push_back({{0, 1, 1, DType::kF32}, {1, 30, 16, DType::kF16}, {35, 3, 7, DType::kBF16}});
  auto& many = cases.emplace_back();
  for (int64_t i = 0; i < 20; ++i)
    many.push_back({2 * i, 1 + i % 2, 5 + i % 3, i % 2 == 0 ? DType::kF16 : DType::kF32});
  for (const auto& adapters : cases) {
    for (const auto& [k, n] : {std::pair{32, 20}, {33, 7}, {5, 300}}) {
      const std::string what = fmt::format("{} segments k {} n {}", adapters.size(), k, n);
      const Grid x = random_grid(rng, 42, k, 3);
      std::vector<StoredWeight> stored;
      for (const auto& a : adapters) {
        stored.emplace_back(rng, a.type, a.rank, k, 2);
        stored.emplace_back(rng, a.type, n, a.rank, 2);
      }
      std::vector<LowRankSegment> segments;
      for (size_t i = 0; i < adapters.size(); ++i)
        segments.push_back({adapters[i].begin, adapters[i].rows, stored[2 * i].view,
                            stored[2 * i + 1].view, 0.5f});
      const Grid before = random_grid(rng, 42, n, 2);
      Grid y = before, y_ref = before;
      cpu.low_rank(x.read(), segments, y.view());
      ref.low_rank(x.read(), segments, y_ref.view());
      expect_close(y, y_ref, 1e-5, what);
      for (LowRankSegment one : segments) {
        if (one.rows == 0) continue;
        one.begin += one.rows - 1;  // its last row alone
        one.rows = 1;
        Grid alone = before;
        cpu.low_rank(x.read(), {&one, 1}, alone.view());
        for (int64_t i = 0; i < n; ++i)
          ASSERT_EQ(alone.read().row(one.begin)[i], y.read().row(one.begin)[i]) << what;
      }
    }
  }
}

TEST_P(OpsTest, RmsNormAndItsGradientMatchTheReference) {
  for (const int64_t cols : kSizes) {
    if (cols == 0) continue;
    for (const int64_t rows : {0, 1, 5, 300}) {
      const std::string what = fmt::format("{} x {}", rows, cols);
      const Grid x = random_grid(rng, rows, cols, 3);
      const auto gain = random_values(rng, cols);
      Grid y(rows, cols, 3);
      Grid y_ref(rows, cols, 3);
      std::vector<float> inverse(rows), inverse_ref(rows);
      cpu.rms_norm(x.read(), gain.data(), 1e-6f, y.view(), inverse.data());
      ref.rms_norm(x.read(), gain.data(), 1e-6f, y_ref.view(), inverse_ref.data());
      expect_close(y, y_ref, 1e-5, "rms_norm " + what);
      expect_close(inverse, inverse_ref, 1e-5, "inverse rms " + what);

      Grid in_place = x;
      cpu.rms_norm(in_place.read(), gain.data(), 1e-6f, in_place.view(), nullptr);
      expect_close(in_place, y_ref, 1e-5, "rms_norm in place " + what);

      const Grid dy = random_grid(rng, rows, cols, 1);
      Grid dx = random_grid(rng, rows, cols, 2);
      Grid dx_ref = dx;
      Grid dx_frozen = dx;
      auto dgain = random_values(rng, cols);
      auto dgain_ref = dgain;
      cpu.rms_norm_backward(x.read(), gain.data(), inverse_ref.data(), dy.read(), dx.view(),
                            dgain.data());
      ref.rms_norm_backward(x.read(), gain.data(), inverse_ref.data(), dy.read(), dx_ref.view(),
                            dgain_ref.data());
      expect_close(dx, dx_ref, 1e-5, "dx " + what);
      expect_close(dgain, dgain_ref, 1e-5, "dgain " + what);
      cpu.rms_norm_backward(x.read(), gain.data(), inverse_ref.data(), dy.read(), dx_frozen.view(),
                            nullptr);
      expect_close(dx_frozen, dx_ref, 1e-5, "dx with a frozen gain " + what);
    }
  }
}

TEST_P(OpsTest, LayerNormMatchesTheReference) {
  for (const int64_t cols : kSizes) {
    if (cols == 0) continue;
    for (const int64_t rows : {0, 1, 5, 300}) {
      const std::string what = fmt::format("layer_norm {} x {}", rows, cols);
      Grid x = random_grid(rng, rows, cols, 3);
      // Far from zero: the mean must go before the squares are taken.
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < cols; ++c) x.view().row(r)[c] += 5.0f;
      const auto gain = random_values(rng, cols);
      const auto bias = random_values(rng, cols);
      Grid y(rows, cols, 2);
      Grid y_ref(rows, cols, 2);
      cpu.layer_norm(x.read(), gain.data(), bias.data(), 1e-5f, y.view());
      ref.layer_norm(x.read(), gain.data(), bias.data(), 1e-5f, y_ref.view());
      expect_close(y, y_ref, 2e-5, what);

      Grid in_place = x;
      cpu.layer_norm(in_place.read(), gain.data(), bias.data(), 1e-5f, in_place.view());
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < cols; ++c)
          EXPECT_EQ(in_place.read().row(r)[c], y.read().row(r)[c]) << what;
    }
  }
}

TEST_P(OpsTest, GeluMatchesTheReference) {
  for (const int64_t cols : kSizes) {
    for (const int64_t rows : {0, 1, 40}) {
      const std::string what = fmt::format("gelu {} x {}", rows, cols);
      Grid x = random_grid(rng, rows, cols, 3);
      if (rows > 0 && cols > 1) {
        x.values[0] = 30.0f;  // where exp over- and underflows
        x.values[1] = -30.0f;
      }
      Grid y(rows, cols, 3);
      Grid y_ref(rows, cols, 3);
      cpu.gelu(x.read(), y.view());
      ref.gelu(x.read(), y_ref.view());
      expect_close(y, y_ref, 1e-6, what);
      cpu.gelu(x.read(), x.view());
      expect_close(x, y, 0.0, what + " in place");
    }
  }
}

TEST_P(OpsTest, RopeMatchesTheReferenceAndTurnsBack) {
  for (const RopeStyle style : {RopeStyle::kHalves, RopeStyle::kInterleaved}) {
    for (const int64_t head_dim : {2, 6, 16, 34, 64, 128}) {
      std::vector<float> frequencies(head_dim / 2);
      for (size_t i = 0; i < frequencies.size(); ++i)
        frequencies[i] =
            std::pow(1e6f, -2.0f * static_cast<float>(i) / static_cast<float>(head_dim));
      const Rope how = {head_dim, style, frequencies};
      // Short positions that repeat (a packed batch) and a few far ones (decoding).
      for (const int64_t rows : {0, 1, 5, 200}) {
        std::vector<int32_t> positions(rows);
        for (auto& p : positions) p = static_cast<int32_t>(rng.below(rows == 200 ? 50 : 130000));
        const Grid x = random_grid(rng, rows, 3 * head_dim, 1);
        Grid y = x;
        Grid y_ref = x;
        cpu.rope(y.view(), positions, how, false);
        ref.rope(y_ref.view(), positions, how, false);
        const std::string what = fmt::format("head_dim {} rows {}", head_dim, rows);
        expect_close(y, y_ref, 1e-6, "rope " + what);
        cpu.rope(y.view(), positions, how, true);
        expect_close(y, x, 1e-6, "rope and back " + what);
      }
    }
  }
}

TEST_P(OpsTest, RopeOfAMagnitudeScalesWhatItTurns) {
  const std::vector<float> frequencies = {1.0f, 0.3f, 0.01f};
  for (const RopeStyle style : {RopeStyle::kHalves, RopeStyle::kInterleaved}) {
    const std::vector<int32_t> positions = {0, 3, 70, 3};
    const Grid x = random_grid(rng, 4, 12);
    Grid plain = x, scaled = x, scaled_ref = x;
    cpu.rope(plain.view(), positions, {6, style, frequencies}, false);
    cpu.rope(scaled.view(), positions, {6, style, frequencies, 1.5f}, false);
    ref.rope(scaled_ref.view(), positions, {6, style, frequencies, 1.5f}, false);
    for (float& value : plain.values) value *= 1.5f;
    expect_close(scaled, plain, 1e-6, "scaled");
    expect_close(scaled, scaled_ref, 1e-6, "against the reference");
    Grid back = x;  // the gradient of a scaled turn is scaled, too
    cpu.rope(back.view(), positions, {6, style, frequencies, 1.5f}, true);
    cpu.rope(back.view(), positions, {6, style, frequencies}, false);
    for (float& value : back.values) value /= 1.5f;
    expect_close(back, x, 1e-6, "back");
  }
}

TEST_P(OpsTest, SwigluAndItsGradientMatchTheReference) {
  for (const int64_t cols : kSizes) {
    for (const int64_t rows : {0, 1, 40}) {
      const std::string what = fmt::format("{} x {}", rows, cols);
      Grid gate = random_grid(rng, rows, cols, 3);
      if (rows > 0 && cols > 1) {
        gate.values[0] = 200.0f;  // where exp over- and underflows
        gate.values[1] = -200.0f;
      }
      const Grid up = random_grid(rng, rows, cols, 1);
      const Grid dy = random_grid(rng, rows, cols, 2);
      Grid y(rows, cols), y_ref(rows, cols);
      cpu.swiglu(gate.read(), up.read(), y.view());
      ref.swiglu(gate.read(), up.read(), y_ref.view());
      expect_close(y, y_ref, 1e-6, "swiglu " + what);

      Grid over_gate = gate;
      cpu.swiglu(over_gate.read(), up.read(), over_gate.view());
      EXPECT_TRUE(cols == 0 || rows == 0 || over_gate.values[0] == y.values[0]) << what;

      Grid dgate(rows, cols), dgate_ref(rows, cols), dup(rows, cols), dup_ref(rows, cols);
      cpu.swiglu_backward(gate.read(), up.read(), dy.read(), dgate.view(), dup.view());
      ref.swiglu_backward(gate.read(), up.read(), dy.read(), dgate_ref.view(), dup_ref.view());
      expect_close(dgate, dgate_ref, 1e-6, "dgate " + what);
      expect_close(dup, dup_ref, 1e-6, "dup " + what);

      Grid gate_alias = gate;
      Grid up_alias = up;
      cpu.swiglu_backward(gate_alias.read(), up_alias.read(), dy.read(), gate_alias.view(),
                          up_alias.view());
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t c = 0; c < cols; ++c) {
          EXPECT_EQ(gate_alias.read().row(r)[c], dgate.read().row(r)[c]) << what;
          EXPECT_EQ(up_alias.read().row(r)[c], dup.read().row(r)[c]) << what;
        }
      }
    }
  }
}

struct AttentionCase {
  std::vector<int32_t> starts;
  int64_t heads, kv_heads, head_dim;
};

TEST_P(OpsTest, AttentionAndItsGradientMatchTheReference) {
  const AttentionCase cases[] = {
      {{0}, 2, 1, 8},
      {{0, 0}, 2, 2, 8},
      {{0, 1}, 1, 1, 4},
      {{0, 1, 1, 3, 20}, 2, 1, 5},
      {{0, 47, 95, 144}, 4, 2, 16},
      {{0, 130, 131}, 3, 3, 33},
      {{0, 200, 313}, 4, 1, 64},
  };
  for (const auto& c : cases) {
    const AttentionShape shape = {c.heads, c.kv_heads, c.head_dim,
                                  1 / std::sqrt(static_cast<float>(c.head_dim))};
    const int64_t rows = c.starts.back();
    const std::string what =
        fmt::format("rows {} heads {}/{} of {}", rows, c.heads, c.kv_heads, c.head_dim);
    const int64_t q_cols = c.heads * c.head_dim;
    const int64_t kv_cols = c.kv_heads * c.head_dim;
    const Grid q = random_grid(rng, rows, q_cols, 3);
    const Grid k = random_grid(rng, rows, kv_cols, 1);
    const Grid v = random_grid(rng, rows, kv_cols, 2);
    Grid y(rows, q_cols, 1), y_ref(rows, q_cols, 1), lse(rows, c.heads), lse_ref(rows, c.heads);
    cpu.attention(q.read(), k.read(), v.read(), c.starts, shape, y.view(), lse.view());
    ref.attention(q.read(), k.read(), v.read(), c.starts, shape, y_ref.view(), lse_ref.view());
    expect_close(y, y_ref, 1e-5, "attention " + what);
    expect_close(lse, lse_ref, 1e-5, "lse " + what);

    const Grid dy = random_grid(rng, rows, q_cols);
    Grid dq(rows, q_cols, 1), dk(rows, kv_cols, 2), dv(rows, kv_cols, 3);
    Grid dq_ref = dq, dk_ref = dk, dv_ref = dv;
    cpu.attention_backward(q.read(), k.read(), v.read(), y_ref.read(), lse_ref.read(), dy.read(),
                           c.starts, shape, dq.view(), dk.view(), dv.view());
    ref.attention_backward(q.read(), k.read(), v.read(), y_ref.read(), lse_ref.read(), dy.read(),
                           c.starts, shape, dq_ref.view(), dk_ref.view(), dv_ref.view());
    expect_close(dq, dq_ref, 2e-5, "dq " + what);
    expect_close(dk, dk_ref, 2e-5, "dk " + what);
    expect_close(dv, dv_ref, 2e-5, "dv " + what);
  }
}

constexpr KvType kKvTypes[] = {KvType::kF32, KvType::kF16, KvType::kQ8};

// Two sequences of `tokens` tokens whose blocks lie interleaved and out of order in the pool.
struct PagedCase {
  PagedCase(Rng& rng, KvType type, AttentionShape of, int64_t block, int64_t tokens)
      : shape(of),
        blocks((tokens + block - 1) / block),
        bytes(kv_head_bytes(type, of.head_dim, block) * of.kv_heads * 2 * blocks),
        k_pool(bytes, std::byte{0xff}),  // NaN where nothing was stored
        v_pool(bytes, std::byte{0xff}),
        kv{k_pool.data(), v_pool.data(), block, type},
        k(random_grid(rng, 2 * tokens, of.kv_heads * of.head_dim, 1)),
        v(random_grid(rng, 2 * tokens, of.kv_heads * of.head_dim, 2)) {
    for (int64_t i = 0; i < blocks; ++i) {
      table_a.push_back(static_cast<int32_t>(2 * (blocks - 1 - i)));
      table_b.push_back(static_cast<int32_t>(2 * i + 1));
    }
    for (int32_t t = 0; t < tokens; ++t) {
      tables.insert(tables.end(), {table_a.data(), table_b.data()});
      positions.insert(positions.end(), {t, t});
    }
  }

  void store(const Ops& ops) { ops.store_kv(k.read(), v.read(), tables, positions, shape, kv); }

  Grid attend(const Ops& ops, const Grid& q, std::span<const int32_t* const> asked,
              std::span<const int32_t> at) const {
    Grid y(q.shape.rows, q.shape.cols, 1);
    ops.paged_attention(q.read(), asked, at, shape, kv, y.view());
    return y;
  }

  AttentionShape shape;
  int64_t blocks;
  int64_t bytes;
  std::vector<std::byte> k_pool, v_pool;
  PagedKv kv;
  Grid k, v;
  std::vector<int32_t> table_a, table_b;
  std::vector<const int32_t*> tables;
  std::vector<int32_t> positions;
};

std::string paged_name(const PagedCase& c) {
  return fmt::format("{} heads {}/{} of {} block {}", kv_type_name(c.kv.type), c.shape.heads,
                     c.shape.kv_heads, c.shape.head_dim, c.kv.block_tokens);
}

TEST_P(OpsTest, PagedAttentionMatchesTheReference) {
  for (const KvType type : kKvTypes) {
    for (const int64_t head_dim : {1, 4, 20, 33, 64, 80}) {
      for (const int64_t block_tokens : {1, 5, 16, 24}) {
        PagedCase c(rng, type, {4, 2, head_dim, 0.3f}, block_tokens, 100);
        const auto k_empty = c.k_pool;
        c.store(ref);
        const auto k_ref = c.k_pool, v_ref = c.v_pool;
        c.k_pool = c.v_pool = k_empty;
        c.kv.k_pool = c.k_pool.data();
        c.kv.v_pool = c.v_pool.data();
        c.store(cpu);
        ASSERT_TRUE(c.k_pool == k_ref && c.v_pool == v_ref) << paged_name(c);

        // Single rows, and runs that a kernel may take together.
        std::vector<const int32_t*> asked;
        std::vector<int32_t> at;
        const auto ask = [&](const std::vector<int32_t>& table, int32_t first, int32_t last) {
          for (int32_t p = first; p <= last; ++p) {
            asked.push_back(table.data());
            at.push_back(p);
          }
        };
        ask(c.table_a, 0, 0);
        ask(c.table_b, 3, 3);
        ask(c.table_b, 0, 70);
        ask(c.table_a, 98, 99);
        ask(c.table_a, 64, 64);
        const Grid q = random_grid(rng, std::ssize(at), c.shape.heads * head_dim, 3);
        expect_close(c.attend(cpu, q, asked, at), c.attend(ref, q, asked, at), 1e-5, paged_name(c));
      }
    }
  }
}

TEST_P(OpsTest, PagedAttentionOverLongContextsMatchesTheReference) {
  // Several spans; a group that divides no tile, no group, one of more heads than a tile has rows.
  for (const AttentionShape shape :
       {AttentionShape{14, 2, 16, 0.3f}, {3, 3, 8, 0.3f}, {100, 1, 4, 0.3f}}) {
    for (const KvType type : kKvTypes) {
      PagedCase c(rng, type, shape, 16, 1100);
      c.store(cpu);
      std::vector<const int32_t*> asked(4, c.table_a.data());
      std::vector<int32_t> at = {1099, 255, 256, 600};
      for (int32_t p = 500; p < 520; ++p) {
        asked.push_back(c.table_b.data());
        at.push_back(p);
      }
      const Grid q = random_grid(rng, std::ssize(at), shape.heads * shape.head_dim, 3);
      expect_close(c.attend(cpu, q, asked, at), c.attend(ref, q, asked, at), 1e-5, paged_name(c));
    }
  }
}

TEST_P(OpsTest, PagedAttentionOfARowDependsOnNothingElseInTheCall) {
  for (const KvType type : kKvTypes) {
    PagedCase c(rng, type, {14, 2, 64, 0.125f}, 16, 700);
    c.store(cpu);
    const std::vector<const int32_t*> asked(700, c.table_a.data());
    std::vector<int32_t> at(700);
    std::iota(at.begin(), at.end(), 0);
    const Grid q = random_grid(rng, 700, 14 * 64);
    const Grid whole = c.attend(cpu, q, asked, at);
    Grid inside(700, 14 * 64, 1);  // on one thread
    compute_pool().parallel_for(2, 1, [&](int64_t begin, int64_t, int) {
      if (begin == 0) inside = c.attend(cpu, q, asked, at);
    });
    for (const int64_t r : {0, 1, 254, 255, 256, 257, 511, 512, 698, 699}) {
      Grid row(1, 14 * 64);
      std::copy_n(q.read().row(r), 14 * 64, row.view().row(0));
      const Grid alone = c.attend(cpu, row, std::span(asked).first(1), std::span(at).subspan(r, 1));
      for (int64_t i = 0; i < 14 * 64; ++i) {
        ASSERT_EQ(alone.read().row(0)[i], whole.read().row(r)[i]) << paged_name(c) << " row " << r;
        ASSERT_EQ(inside.read().row(r)[i], whole.read().row(r)[i]) << paged_name(c) << " row " << r;
      }
    }
  }
}

TEST_P(OpsTest, StoredKeysAndValuesAreWithinTheBoundOfTheirType) {
  // With one token attention gives its value back.
  for (const KvType type : kKvTypes) {
    for (const int64_t head_dim : {1, 31, 32, 64, 70}) {
      PagedCase c(rng, type, {1, 1, head_dim, 0.3f}, 4, 1);
      if (head_dim > 40) c.v.view().row(0)[40] = 1000;  // spoils its own group only
      c.store(cpu);
      const Grid q = random_grid(rng, 1, head_dim);
      const Grid y = c.attend(cpu, q, std::span(c.tables).first(1), std::vector<int32_t>{0});
      for (int64_t i = 0; i < head_dim; ++i) {
        const float* v = c.v.read().row(0);
        double peak = 0;
        for (int64_t j = i / 32 * 32; j < std::min(head_dim, i / 32 * 32 + 32); ++j)
          peak = std::max(peak, std::abs(double{v[j]}));
        const double bound = type == KvType::kF32   ? 1e-6 * std::abs(v[i])
                             : type == KvType::kF16 ? std::abs(v[i]) / 2047
                                                    : peak / 253;
        EXPECT_NEAR(y.read().row(0)[i], v[i], bound) << paged_name(c) << " at " << i;
      }
    }
  }
}

TEST_P(OpsTest, AValueThatIsNotFiniteStaysVisibleInTheCache) {
  for (const KvType type : kKvTypes) {
    for (const float broken : {std::nanf(""), INFINITY, 1e30f}) {
      PagedCase c(rng, type, {2, 2, 40, 0.3f}, 4, 3);
      c.v.view().row(0)[35] = broken;  // token 0 of sequence a, kv head 0
      c.store(cpu);
      const Grid q = random_grid(rng, 1, 80);
      const Grid y = c.attend(cpu, q, std::span(c.tables).first(1), std::vector<int32_t>{2});
      // A target that converts halves in software takes infinities and NaN for 65536 and more.
      EXPECT_FALSE(std::abs(y.read().row(0)[35]) < 100) << paged_name(c) << " " << broken;
      EXPECT_TRUE(std::isfinite(y.read().row(0)[0])) << paged_name(c);
      EXPECT_TRUE(std::isfinite(y.read().row(0)[75])) << paged_name(c);
    }
  }
}

TEST(KvCache, TypesHaveNamesAndSizes) {
  for (const KvType type : kKvTypes) EXPECT_EQ(parse_kv_type(kv_type_name(type)), type);
  EXPECT_EQ(parse_kv_type("q4"), std::nullopt);
  EXPECT_EQ(kv_head_bytes(KvType::kF32, 64, 16), 4096);
  EXPECT_EQ(kv_head_bytes(KvType::kF16, 64, 16), 2048);
  EXPECT_EQ(kv_head_bytes(KvType::kQ8, 64, 16), 1088);
  EXPECT_EQ(kv_head_bytes(KvType::kQ8, 5, 1), 64);
}

TEST_P(OpsTest, EmbeddingsMatchTheReference) {
  for (const int64_t cols : {1, 17, 32, 96, 160, 512}) {
    for (const DType type : stored_types(cols)) {
      const StoredWeight table(rng, type, 11, cols, 1);
      std::vector<int32_t> tokens(57);
      for (auto& token : tokens) token = static_cast<int32_t>(rng.below(11));
      Grid y(57, cols, 1), y_ref(57, cols, 1);
      cpu.embed(tokens, table.view, y.view());
      ref.embed(tokens, table.view, y_ref.view());
      expect_close(y, y_ref, 0, "embed " + std::string(dtype_name(type)));  // the same floats
      if (is_quantised(type)) {
        std::vector<std::byte> memory(
            interleaved_bytes(type, table.view.rows, table.view.cols, cpu.panel(type)));
        cpu.embed(tokens, interleave(table.view, cpu.panel(type), memory.data()), y.view());
        expect_close(y, y_ref, 0, fmt::format("embed {} in panels", dtype_name(type)));
      }
    }
  }
  std::vector<int32_t> tokens(300);
  for (auto& token : tokens) token = static_cast<int32_t>(rng.below(5));
  const Grid dy = random_grid(rng, 300, 130, 1);
  Grid dtable = random_grid(rng, 5, 130);
  Grid dtable_ref = dtable;
  cpu.embed_backward(tokens, dy.read(), dtable.view());
  ref.embed_backward(tokens, dy.read(), dtable_ref.view());
  expect_close(dtable, dtable_ref, 1e-5, "embed_backward");
}

TEST_P(OpsTest, LossesMatchTheReference) {
  for (const int64_t cols : kSizes) {
    if (cols == 0) continue;
    for (const int64_t rows : {0, 1, 30}) {
      const std::string what = fmt::format("{} x {}", rows, cols);
      Grid logits = random_grid(rng, rows, cols, 2);
      std::vector<int32_t> targets(rows);
      for (auto& t : targets) t = static_cast<int32_t>(rng.below(cols));
      if (rows > 1) {
        // Far from zero, and all the mass on the target.
        logits.values[targets[0]] += 20.0f;
        for (int64_t c = 0; c < cols; ++c) logits.values[c] += 1000.0f;
      }
      std::vector<float> out(rows), out_ref(rows);
      cpu.log_probability(logits.read(), targets, out);
      ref.log_probability(logits.read(), targets, out_ref);
      expect_close(out, out_ref, 1e-6, "log_probability " + what);

      if (rows > 1) targets[1] = -1;
      const auto weights = random_values(rng, rows);
      Grid logits_ref = logits;
      std::vector<float> losses(rows), losses_ref(rows);
      cpu.cross_entropy(logits.view(), targets, weights, losses);
      ref.cross_entropy(logits_ref.view(), targets, weights, losses_ref);
      expect_close(logits, logits_ref, 1e-6, "cross_entropy " + what);
      expect_close(losses, losses_ref, 1e-6, "losses " + what);
    }
  }
}

TEST_P(OpsTest, FlatLoopsMatchTheReference) {
  for (const int64_t n : {0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 1000, 40001}) {
    const std::string what = std::to_string(n);
    const auto x = random_values(rng, n);
    auto y = random_values(rng, n);
    auto y_ref = y;
    cpu.axpy(0.7f, x, y);
    ref.axpy(0.7f, x, y_ref);
    expect_close(y, y_ref, 1e-6, "axpy " + what);
    EXPECT_NEAR(cpu.sum_of_squares(x), ref.sum_of_squares(x), 1e-5 * static_cast<double>(n));

    auto m = random_values(rng, n);
    auto v = random_values(rng, n);
    for (float& value : v) value = std::abs(value);
    auto w = y, w_ref = y, m_ref = m, v_ref = v;
    const AdamW hyper = {.lr = 0.01f, .weight_decay = 0.1f, .step = 3, .gradient_scale = 0.5f};
    cpu.adamw(w, x, m, v, hyper);
    ref.adamw(w_ref, x, m_ref, v_ref, hyper);
    expect_close(w, w_ref, 1e-5, "adamw w " + what);
    expect_close(m, m_ref, 1e-6, "adamw m " + what);
    expect_close(v, v_ref, 1e-6, "adamw v " + what);
  }
}

TEST_P(OpsTest, CallsInsideAParallelLoopGiveTheSameBits) {
  // Inside a loop an operation runs on one thread, outside on all: the result must not tell.
  const Grid x = random_grid(rng, 200, 300);
  const StoredWeight w(rng, DType::kF32, 90, 300, 0);
  const Grid dy = random_grid(rng, 200, 90);
  Grid outside(90, 300), inside(90, 300), y_outside(200, 90), y_inside(200, 90);
  cpu.linear_dw(dy.read(), x.read(), outside.view(), false);
  cpu.linear(x.read(), w.view, y_outside.view(), false);
  compute_pool().parallel_for(2, 1, [&](int64_t begin, int64_t, int) {
    if (begin == 0) cpu.linear_dw(dy.read(), x.read(), inside.view(), false);
    if (begin == 1) cpu.linear(x.read(), w.view, y_inside.view(), false);
  });
  EXPECT_EQ(inside.values, outside.values);
  EXPECT_EQ(y_inside.values, y_outside.values);
}

}  // namespace
}  // namespace plinth::tensor
