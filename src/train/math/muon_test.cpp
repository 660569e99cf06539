#include "train/math/muon.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "core/rng.h"

namespace plinth::train {
namespace {

std::vector<float> random_values(int64_t n, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(static_cast<size_t>(n));
  for (float& value : values) value = static_cast<float>(rng.normal());
  return values;
}

// The iteration in double, by the textbook: what orthogonalise() must compute.
std::vector<double> reference(const std::vector<float>& x, int64_t rows, int64_t cols) {
  std::vector<double> now(x.begin(), x.end());
  double squares = 0;
  for (const double value : now) squares += value * value;
  for (double& value : now) value /= std::sqrt(squares);
  const auto at = [](const std::vector<double>& m, int64_t width, int64_t i, int64_t j) {
    return m[static_cast<size_t>(i * width + j)];
  };
  for (int iteration = 0; iteration < 5; ++iteration) {
    std::vector<double> gram(static_cast<size_t>(rows * rows));
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < rows; ++j)
        for (int64_t k = 0; k < cols; ++k)
          gram[static_cast<size_t>(i * rows + j)] += at(now, cols, i, k) * at(now, cols, j, k);
    const auto times = [&](const std::vector<double>& m) {
      std::vector<double> product(m.size());
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t k = 0; k < rows; ++k)
          for (int64_t j = 0; j < cols; ++j)
            product[static_cast<size_t>(i * cols + j)] += at(gram, rows, i, k) * at(m, cols, k, j);
      return product;
    };
    const auto cubic = times(now);
    const auto quintic = times(cubic);
    for (size_t i = 0; i < now.size(); ++i)
      now[i] = 3.4445 * now[i] - 4.7750 * cubic[i] + 2.0315 * quintic[i];
  }
  return now;
}

class MuonShapes : public ::testing::TestWithParam<std::pair<int64_t, int64_t>> {};

TEST_P(MuonShapes, OrthogonaliseIsTheQuinticIteration) {
  const auto [rows, cols] = GetParam();
  auto values = random_values(rows * cols, 7);
  const auto expected = reference(values, rows, cols);
  Muon muon(tensor::default_ops());
  muon.orthogonalise(tensor::matrix(values.data(), rows, cols));
  for (size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(values[i], expected[i], 2e-5) << i;
}

INSTANTIATE_TEST_SUITE_P(Matrices, MuonShapes,
                         ::testing::Values(std::pair{int64_t{12}, int64_t{12}},
                                           std::pair{int64_t{8}, int64_t{40}},
                                           std::pair{int64_t{40}, int64_t{8}},
                                           std::pair{int64_t{1}, int64_t{5}}));

TEST(Muon, GivesEveryDirectionTheSamePace) {
  // Singular values 10 and 0.1: a plain gradient would move the second a hundred times slower.
  std::vector<float> values = {10.0f, 0.0f, 0.0f, 0.1f};
  Muon muon(tensor::default_ops());
  muon.orthogonalise(tensor::matrix(values.data(), 2, 2));
  EXPECT_NEAR(values[0], 0.95, 0.3);
  EXPECT_NEAR(values[3], 0.95, 0.3);
}

TEST(Muon, UpdatesDecayAndStepAgainstTheGradient) {
  std::vector<float> weights(64, 1.0f);
  const auto gradient = random_values(64, 3);
  std::vector<float> momentum(64, 0.0f);
  Muon muon(tensor::default_ops());
  tensor::AdamW hyper;
  hyper.lr = 0.1f;
  hyper.weight_decay = 0.5f;
  muon.update(tensor::matrix(weights.data(), 8, 8), tensor::matrix(gradient.data(), 8, 8),
              tensor::matrix(momentum.data(), 8, 8), hyper);
  double along = 0;
  double squares = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    const double step = double{weights[i]} - 0.95;
    along += step * double{gradient[i]};
    squares += step * step;
    EXPECT_NEAR(momentum[i], 0.05f * gradient[i], 1e-6);
  }
  EXPECT_LT(along, 0);
  // Updates have the size of AdamW's: root mean square 0.2 lr.
  EXPECT_NEAR(std::sqrt(squares / 64), 0.2 * 0.1, 0.006);
}

TEST(Muon, LeavesAZeroMatrixAlone) {
  std::vector<float> values(12, 0.0f);
  Muon muon(tensor::default_ops());
  muon.orthogonalise(tensor::matrix(values.data(), 3, 4));
  for (const float value : values) EXPECT_EQ(value, 0.0f);
}

}  // namespace
}  // namespace plinth::train
