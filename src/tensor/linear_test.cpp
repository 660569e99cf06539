// The products of cpu_ops() against ref_ops().
#include "tensor/cpu/amx.h"
#include "tensor/quant/panels.h"
#include "tensor/test_ops.h"

namespace plinth::tensor {
namespace {

class LinearTest : public OpsTest {
 protected:
  // Of a product in floats: tiles split them.
  static double product_bound() { return GetParam() == HWY_AVX3_DL ? 0x1p-15 : 1e-5; }
};

INSTANTIATE_TEST_SUITE_P(Targets, LinearTest, testing::ValuesIn(machine_targets()),
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
  // Whole tiles and a third, two thirds or some other part of one; columns of half a panel.
  for (const int64_t rows : {16, 20, 64, 71}) {
    shapes.push_back({rows, 16, 288});
    shapes.push_back({rows, 40, 64});
  }
  // Quantised: each number of rows that the integer kernels know, blocks of 256 once and often.
  for (const int64_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 33}) {
    shapes.push_back({rows, 9, 256});
    shapes.push_back({rows, 5, 768});
  }
  shapes.push_back({1, 1, 2048});
  return shapes;
}

TEST_P(LinearTest, LinearAndItsGradientsMatchTheReference) {
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
          expect_close(y, y_ref, product_bound(), "linear " + what);
        }

        const Grid dy = random_grid(rng, s.m, s.n, gap);
        Grid dx = random_grid(rng, s.m, s.k, gap);
        Grid dx_ref = dx;
        cpu.linear_dx(dy.read(), w.view, dx.view(), accumulate);
        ref.linear_dx(dy.read(), w.view, dx_ref.view(), accumulate);
        expect_close(dx, dx_ref, product_bound(), "linear_dx " + what);

        if (type != DType::kF32) continue;
        Grid dw = random_grid(rng, s.n, s.k, gap);
        Grid dw_ref = dw;
        cpu.linear_dw(dy.read(), x.read(), dw.view(), accumulate);
        ref.linear_dw(dy.read(), x.read(), dw_ref.view(), accumulate);
        expect_close(dw, dw_ref, product_bound(), "linear_dw " + what);
      }
    }
  }
}

// Rows of dw are packed part after part, and of many terms pass after pass.
TEST_P(LinearTest, GradientsOfManyWeightsFromManyRowsMatchTheReference) {
  for (const Shape s : {Shape{40, 2100, 300}, Shape{1400, 1000, 40}}) {
    for (const bool accumulate : {false, true}) {
      const Grid x = random_grid(rng, s.m, s.k, 5);
      const Grid dy = random_grid(rng, s.m, s.n, 3);
      Grid dw = random_grid(rng, s.n, s.k, 7);
      Grid dw_ref = dw;
      cpu.linear_dw(dy.read(), x.read(), dw.view(), accumulate);
      ref.linear_dw(dy.read(), x.read(), dw_ref.view(), accumulate);
      expect_close(dw, dw_ref, product_bound(),
                   fmt::format("m {} n {} k {} add {}", s.m, s.n, s.k, accumulate));
    }
  }
}

TEST_P(LinearTest, TrainingReadsPanelsAsItReadsRows) {
  const Ops& exact = exact_ops();
  for (const int64_t cols : {32, 256, 544, 768}) {
    for (const DType type : stored_types(cols)) {
      if (!is_quantised(type)) continue;
      const StoredWeight w(rng, type, 70, cols, 1);
      for (const int height : {4, 8, 16}) {
        std::vector<std::byte> memory(interleaved_bytes(type, 70, cols, height));
        const Weight panels = interleave(w.view, height, memory.data());
        for (const int64_t rows : {1, 5, 40}) {
          const std::string what = fmt::format("{} {} columns, {} rows, panels of {}",
                                               dtype_name(type), cols, rows, height);
          const Grid x = random_grid(rng, rows, cols, 3);
          Grid y(rows, 70), y_panels(rows, 70);
          exact.linear(x.read(), w.view, y.view(), false);
          exact.linear(x.read(), panels, y_panels.view(), false);
          expect_close(y_panels, y, 0.0, "linear " + what);
          const Grid dy = random_grid(rng, rows, 70, 1);
          Grid dx(rows, cols), dx_panels(rows, cols);
          cpu.linear_dx(dy.read(), w.view, dx.view(), false);
          cpu.linear_dx(dy.read(), panels, dx_panels.view(), false);
          expect_close(dx_panels, dx, 0.0, "linear_dx " + what);
        }
      }
    }
  }
}

TEST_P(LinearTest, QuantisedLinearGivesTheSameBitsAloneAndInABatch) {
  for (const DType type : stored_types(1280)) {
    if (!is_quantised(type)) continue;
    const StoredWeight w(rng, type, 70, 1280, 1);
    const Grid x = random_grid(rng, kRowsAlone, 1280, 3);
    Grid together(kRowsAlone, 70);
    cpu.linear(x.read(), w.view, together.view(), false);
    std::vector<std::byte> memory(interleaved_bytes(type, 70, 1280, cpu.panel(type)));
    const Weight panels = interleave(w.view, cpu.panel(type), memory.data());
    Grid of_panels(kRowsAlone, 70);
    cpu.linear(x.read(), panels, of_panels.view(), false);
    expect_close(of_panels, together, 0.0, fmt::format("{} in panels", dtype_name(type)));
    for (const int64_t rows : {1, 7, 16, 31}) {
      Grid alone(rows, 70);
      for (const int64_t first : {0, 5, 33}) {
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

// Both forms of a weight, one or more passes of rows, and of depth.
TEST_P(LinearTest, QuantisedLinearOfManyRowsKeepsItsBound) {
  const std::vector<Shape> shapes = {{65, 70, 1280}, {1100, 40, 256}, {97, 33, 10240}};
  for (const Shape s : shapes) {
    for (const DType type : stored_types(s.k)) {
      if (!is_quantised(type)) continue;
      const std::string what = fmt::format("{} m {} n {} k {}", dtype_name(type), s.m, s.n, s.k);
      const StoredWeight w(rng, type, s.n, s.k, 1);
      std::vector<std::byte> memory(interleaved_bytes(type, s.n, s.k, cpu.panel(type)));
      const Weight panels = interleave(w.view, cpu.panel(type), memory.data());
      const Grid x = random_grid(rng, s.m, s.k, 3);
      Grid want = random_grid(rng, s.m, s.n);
      Grid of_rows = want;
      Grid of_panels = want;
      ref.linear(x.read(), w.view, want.view(), true);
      cpu.linear(x.read(), w.view, of_rows.view(), true);
      cpu.linear(x.read(), panels, of_panels.view(), true);
      expect_within_rounding(x, w.view, of_rows, want, what);
      expect_within_rounding(x, w.view, of_panels, want, what + " in panels");
    }
  }
}

TEST_P(LinearTest, SharedLinearsGiveTheBitsOfEach) {
  const DType types[] = {DType::kQ4_0, DType::kQ4_0, DType::kF16, DType::kQ6_K};
  for (const int64_t rows : {1, 5, 40, 100}) {
    const Grid x = random_grid(rng, rows, 512, 2);
    std::vector<StoredWeight> weights;
    std::vector<Grid> alone, shared;
    std::vector<LinearOutput> outputs;
    for (const DType type : types) {
      weights.emplace_back(rng, type, 37 + 16 * std::ssize(weights), 512, 0);
      alone.push_back(random_grid(rng, rows, weights.back().view.rows, 1));
    }
    shared = alone;
    for (size_t i = 0; i < weights.size(); ++i) {
      const bool accumulate = i % 2 == 1;
      cpu.linear(x.read(), weights[i].view, alone[i].view(), accumulate);
      outputs.push_back({weights[i].view, shared[i].view(), accumulate});
    }
    cpu.linear_shared(x.read(), outputs);
    for (size_t i = 0; i < weights.size(); ++i)
      expect_close(shared[i], alone[i], 0.0, fmt::format("rows {} output {}", rows, i));
  }
}

// Where there is a matrix unit; elsewhere both are the same.
TEST(MatrixUnit, GivesTheSameBitsAsVectorsUpToRowsAlone) {
  Rng rng(12);
  for (const DType type : stored_types(768)) {
    if (!is_quantised(type)) continue;
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

TEST_P(LinearTest, QuantisedLinearKeepsABrokenRowVisible) {
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

TEST_P(LinearTest, LinearOverwritesNaNWhenNotAccumulating) {
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

TEST_P(LinearTest, LowRankMatchesTheReferenceAndARowDependsOnNothingElse) {
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
        segments.push_back({.begin = adapters[i].begin,
                            .rows = adapters[i].rows,
                            .a = stored[2 * i].view,
                            .b = stored[2 * i + 1].view,
                            .scale = 0.5f,
                            .y = {}});
      const Grid before = random_grid(rng, 42, n, 2);
      Grid y = before, y_ref = before;
      for (LowRankSegment& segment : segments) segment.y = y_ref.view();
      ref.low_rank(x.read(), segments);
      for (LowRankSegment& segment : segments) segment.y = y.view();
      cpu.low_rank(x.read(), segments);
      expect_close(y, y_ref, 1e-5, what);
      for (LowRankSegment one : segments) {
        if (one.rows == 0) continue;
        one.begin += one.rows - 1;  // its last row alone
        one.rows = 1;
        Grid alone = before;
        one.y = alone.view();
        cpu.low_rank(x.read(), {&one, 1});
        for (int64_t i = 0; i < n; ++i)
          ASSERT_EQ(alone.read().row(one.begin)[i], y.read().row(one.begin)[i]) << what;
      }
    }
  }
}

// Three layers with one x, as an engine asks for q, k and v; Q8_0, B turned or F16 beside it.
TEST_P(LinearTest, LowRankOfEightBitsMatchesTheReferenceAndARowDependsOnNothingElse) {
  constexpr int64_t kOutputs[] = {64, 32, 320};
  constexpr int64_t kIn = 96, kRows = 70;
  const Grid x = random_grid(rng, kRows, kIn, 3);
  // Many rows each, one row each, and rows enough for all threads.
  const std::vector<std::vector<std::pair<int64_t, int64_t>>> cases = {
      {{0, 40}, {40, 2}, {45, 3}}, {{3, 1}}, {{0, 1}, {1, 1}, {2, 2}, {4, 1}, {5, 3}, {9, 1}}};
  for (const auto& rows : cases) {
    for (const int64_t rank : {1, 4, 7, 16, 64}) {
      const std::string what = fmt::format("{} adapters of rank {}", rows.size(), rank);
      std::vector<Grid> before, got, want;
      for (const int64_t n : kOutputs) before.push_back(random_grid(rng, kRows, n, 2));
      got = want = before;
      std::vector<StoredWeight> stored;
      std::vector<LowRankSegment> segments;
      std::vector<size_t> layers;
      for (const auto& [begin, count] : rows) {
        for (size_t layer = 0; layer < std::size(kOutputs); ++layer) {
          const int64_t n = kOutputs[layer];
          const bool turned = layer != 1;
          const auto& a = stored.emplace_back(rng, DType::kQ8_0, rank, kIn, 2);
          const Weight a_view = a.view;
          const auto& b = turned ? stored.emplace_back(rng, DType::kQ8_0, n / 32, rank * 32, 2)
                                 : stored.emplace_back(rng, DType::kF16, n, rank, 2);
          segments.push_back({begin, count, a_view, b.view, 0.5f, turned, {}});
          layers.push_back(layer);
        }
      }
      for (size_t i = 0; i < segments.size(); ++i) segments[i].y = want[layers[i]].view();
      ref.low_rank(x.read(), segments);
      for (size_t i = 0; i < segments.size(); ++i) segments[i].y = got[layers[i]].view();
      cpu.low_rank(x.read(), segments);
      for (size_t layer = 0; layer < got.size(); ++layer)
        expect_close(got[layer], want[layer], 1e-5, fmt::format("{}, layer {}", what, layer));
      for (size_t i = 0; i < segments.size(); ++i) {
        LowRankSegment one = segments[i];
        one.begin += one.rows - 1;  // its last row alone
        one.rows = 1;
        Grid alone = before[layers[i]];
        one.y = alone.view();
        cpu.low_rank(x.read(), {&one, 1});
        for (int64_t n = 0; n < kOutputs[layers[i]]; ++n)
          ASSERT_EQ(alone.read().row(one.begin)[n], got[layers[i]].read().row(one.begin)[n])
              << what << ", segment " << i;
      }
    }
  }
}

}  // namespace
}  // namespace plinth::tensor
