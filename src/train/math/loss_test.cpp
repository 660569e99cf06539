#include "train/math/loss.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "core/rng.h"

namespace plinth::train {
namespace {

constexpr int64_t kRows = 23;
constexpr int64_t kWidth = 16;
constexpr int64_t kVocabulary = 41;

struct Problem {
  explicit Problem(bool with_gaps) {
    Rng rng(1);
    hidden.resize(kRows * kWidth);
    head.resize(kVocabulary * kWidth);
    for (float& x : hidden.span()) x = static_cast<float>(rng.normal());
    for (float& x : head.span()) x = static_cast<float>(rng.normal());
    for (int64_t r = 0; r < kRows; ++r) {
      const bool gap = with_gaps && r % 3 != 1;
      targets.push_back(gap ? -1 : static_cast<int32_t>(rng.below(kVocabulary)));
      weights.push_back(static_cast<float>(0.5 + rng.uniform()));
    }
  }

  LossInput input() {
    return {hidden.as(kRows, kWidth), tensor::weight(head.as(kVocabulary, kWidth)), targets,
            weights};
  }

  tensor::Buffer hidden, head;
  std::vector<int32_t> targets;
  std::vector<float> weights;
};

struct Answer {
  double loss = 0;
  tensor::Buffer dhidden, dhead;
};

Answer solve(Problem& problem, int64_t chunk_rows) {
  Answer answer;
  ChunkedLoss loss(tensor::ref_ops(), chunk_rows);
  const auto dhidden = answer.dhidden.as(kRows, kWidth);
  const auto dhead = answer.dhead.as(kVocabulary, kWidth);
  answer.dhidden.fill(7.0f);
  answer.dhead.fill(0.0f);
  answer.loss = loss.with_gradient(problem.input(), dhidden, dhead);
  EXPECT_NEAR(loss.only(problem.input()), answer.loss, 1e-5 * answer.loss);
  return answer;
}

std::vector<double> softmax_of_row(const float* hidden, const float* head) {
  std::vector<double> p(kVocabulary);
  double total = 0;
  for (int64_t v = 0; v < kVocabulary; ++v) {
    double logit = 0;
    for (int64_t i = 0; i < kWidth; ++i) logit += double{hidden[i]} * double{head[v * kWidth + i]};
    total += p[static_cast<size_t>(v)] = std::exp(logit);
  }
  for (double& value : p) value /= total;
  return p;
}

TEST(ChunkedLoss, AnAnchorPullsTowardsItsDistribution) {
  Problem problem(/*with_gaps=*/true);
  Rng rng(5);
  tensor::Buffer anchor(kRows * kWidth);
  for (float& x : anchor.span()) x = static_cast<float>(rng.normal());
  auto input = problem.input();
  input.anchor = anchor.as(kRows, kWidth);
  tensor::Buffer dhidden;
  ChunkedLoss loss(tensor::ref_ops(), 5);
  loss.with_gradient(input, dhidden.as(kRows, kWidth), {});
  for (int64_t r = 0; r < kRows; ++r) {
    const auto at = static_cast<size_t>(r);
    const auto p = softmax_of_row(problem.hidden.data() + r * kWidth, problem.head.data());
    const auto q = softmax_of_row(anchor.data() + r * kWidth, problem.head.data());
    for (int64_t i = 0; i < kWidth; ++i) {
      double expected = 0;
      for (int64_t v = 0; v < kVocabulary && problem.targets[at] >= 0; ++v)
        expected += double{problem.weights[at]} *
                    (p[static_cast<size_t>(v)] - q[static_cast<size_t>(v)]) *
                    double{problem.head.data()[v * kWidth + i]};
      ASSERT_NEAR(dhidden.data()[r * kWidth + i], expected, 1e-4) << r << " " << i;
    }
  }
}

TEST(ChunkedLoss, EqualsTheWholeAtOnce) {
  for (const bool with_gaps : {false, true}) {
    Problem problem(with_gaps);
    const Answer whole = solve(problem, 1000);
    for (const int64_t chunk : {1, 2, 7, 23}) {
      const Answer chunked = solve(problem, chunk);
      EXPECT_NEAR(chunked.loss, whole.loss, 1e-9 * whole.loss) << chunk;
      for (int64_t i = 0; i < whole.dhidden.size(); ++i)
        ASSERT_FLOAT_EQ(chunked.dhidden.data()[i], whole.dhidden.data()[i]) << chunk;
      for (int64_t i = 0; i < whole.dhead.size(); ++i)
        ASSERT_NEAR(chunked.dhead.data()[i], whole.dhead.data()[i], 1e-5) << chunk;
    }
  }
}

TEST(ChunkedLoss, GivesRowsWithoutTargetNoGradient) {
  Problem problem(/*with_gaps=*/true);
  const Answer answer = solve(problem, 4);
  for (int64_t r = 0; r < kRows; ++r) {
    if (problem.targets[static_cast<size_t>(r)] >= 0) continue;
    for (int64_t c = 0; c < kWidth; ++c) ASSERT_EQ(answer.dhidden.data()[r * kWidth + c], 0.0f);
  }
}

TEST(ChunkedLoss, HoldsHalfTheRowsOverAQuantisedHead) {
  model::ModelConfig config;
  config.vocabulary = int64_t{1} << 16;
  config.width = 32;
  constexpr int64_t kMany = 512;
  tensor::Buffer hidden(kMany * config.width), head(config.vocabulary * config.width), dhidden;
  Rng rng(2);
  for (float& x : hidden.span()) x = static_cast<float>(rng.normal());
  for (float& x : head.span()) x = static_cast<float>(rng.uniform());
  const std::vector<int32_t> targets(kMany, 3);
  const std::vector<float> weights(kMany, 1.0f);
  int64_t floats_bytes = 0;
  for (const auto type : {tensor::DType::kF32, tensor::DType::kQ8_0}) {
    std::vector<uint8_t> stored(tensor::row_bytes(type, config.width) *
                                static_cast<size_t>(config.vocabulary));
    tensor::from_f32(head.data(), head.size(), type, stored.data());
    ChunkedLoss loss(tensor::exact_ops());
    loss.with_gradient({hidden.as(kMany, config.width),
                        {stored.data(), type, config.vocabulary, config.width},
                        targets,
                        weights},
                       dhidden.as(kMany, config.width), {});
    EXPECT_EQ(loss.bytes(), ChunkedLoss::bytes_of(config, type, kMany));
    if (type == tensor::DType::kF32)
      floats_bytes = loss.bytes();
    else
      EXPECT_EQ(2 * loss.bytes(), floats_bytes);
  }
}

}  // namespace
}  // namespace plinth::train
