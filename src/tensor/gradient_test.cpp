// The backward references against central differences of the forward references, in double. What
// passes here is what ops_test holds the kernels to.
//
// Each test weighs the outputs with a random dy: L = sum dy * f(inputs), and the backward pass must
// return dL/d(input) for every input.
#include <algorithm>
#include <cmath>
#include <functional>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "core/rng.h"
#include "tensor/ref/attention.h"
#include "tensor/ref/layers.h"
#include "tensor/ref/linear.h"
#include "tensor/ref/training.h"
#include "tensor/ref/view.h"

namespace plinth::tensor::ref {
namespace {

struct Grid {
  Grid(int64_t n_rows, int64_t n_cols)
      : values(static_cast<size_t>(n_rows * n_cols)), rows(n_rows), cols(n_cols) {}

  Grid(int64_t n_rows, int64_t n_cols, Rng& rng) : Grid(n_rows, n_cols) {
    for (double& x : values) x = rng.normal();
  }

  View<double> view() { return {values.data(), rows, cols, cols}; }

  View<const double> read() const { return {values.data(), rows, cols, cols}; }

  std::vector<double> values;
  int64_t rows, cols;
};

double weighted(const Grid& dy, const Grid& y) {
  double sum = 0;
  for (size_t i = 0; i < y.values.size(); ++i) sum += dy.values[i] * y.values[i];
  return sum;
}

// `gradient` against (L(x + h) - L(x - h)) / 2h for every element of x.
void expect_gradient(std::vector<double>& x, std::span<const double> gradient,
                     const std::function<double()>& loss, const char* what) {
  ASSERT_EQ(x.size(), gradient.size());
  double scale = 1e-30;
  for (const double g : gradient) scale = std::max(scale, std::abs(g));
  for (size_t i = 0; i < x.size(); ++i) {
    const double kept = x[i];
    constexpr double kStep = 1e-5;
    x[i] = kept + kStep;
    const double up = loss();
    x[i] = kept - kStep;
    const double down = loss();
    x[i] = kept;
    EXPECT_NEAR(gradient[i], (up - down) / (2 * kStep), 1e-6 * scale) << what << " element " << i;
  }
}

TEST(Gradient, Linear) {
  Rng rng(1);
  Grid x(3, 5, rng), w(4, 5, rng);
  const Grid dy(3, 4, rng);
  Grid dx(3, 5), dw(4, 5);
  const auto loss = [&] {
    Grid y(3, 4);
    linear(x.read(), w.read(), y.view(), false);
    return weighted(dy, y);
  };
  linear_dx(dy.read(), w.read(), dx.view(), false);
  linear_dw(dy.read(), x.read(), dw.view(), false);
  expect_gradient(x.values, dx.values, loss, "dx");
  expect_gradient(w.values, dw.values, loss, "dw");
}

TEST(Gradient, RmsNorm) {
  Rng rng(2);
  Grid x(4, 7, rng), gain(1, 7, rng);
  const Grid dy(4, 7, rng);
  Grid dx(4, 7), dgain(1, 7);
  std::vector<double> inverse(4);
  const auto loss = [&] {
    Grid y(4, 7);
    rms_norm<double>(x.read(), gain.values.data(), 1e-2, y.view(), inverse.data());
    return weighted(dy, y);
  };
  loss();
  const std::vector<double> saved = inverse;
  rms_norm_backward<double>(x.read(), gain.values.data(), saved.data(), dy.read(), dx.view(),
                            dgain.values.data());
  expect_gradient(x.values, dx.values, loss, "dx");
  expect_gradient(gain.values, dgain.values, loss, "dgain");
}

TEST(Gradient, LayerNorm) {
  Rng rng(8);
  Grid x(4, 7, rng), gain(1, 7, rng), bias(1, 7, rng);
  for (double& value : x.values) value += 3;
  const Grid dy(4, 7, rng);
  Grid dx(4, 7), dgain(1, 7), dbias(1, 7);
  const auto loss = [&] {
    Grid y(4, 7);
    layer_norm<double>(x.read(), gain.values.data(), bias.values.data(), 1e-2, y.view());
    return weighted(dy, y);
  };
  layer_norm_backward<double>(x.read(), gain.values.data(), 1e-2, dy.read(), dx.view(),
                              dgain.values.data(), dbias.values.data());
  expect_gradient(x.values, dx.values, loss, "dx");
  expect_gradient(gain.values, dgain.values, loss, "dgain");
  expect_gradient(bias.values, dbias.values, loss, "dbias");
}

TEST(Gradient, Gelu) {
  Rng rng(9);
  Grid x(3, 6, rng);
  for (double& value : x.values) value *= 2;
  const Grid dy(3, 6, rng);
  Grid dx(3, 6);
  const auto loss = [&] {
    Grid y(3, 6);
    gelu(x.read(), y.view());
    return weighted(dy, y);
  };
  gelu_backward(x.read(), dy.read(), dx.view());
  expect_gradient(x.values, dx.values, loss, "dx");
}

TEST(Gradient, Rope) {
  Rng rng(3);
  const std::vector<float> frequencies = {1.0f, 0.3f, 0.01f};
  const std::vector<int32_t> positions = {0, 7, 1000};
  for (const RopeStyle style : {RopeStyle::kHalves, RopeStyle::kInterleaved}) {
    const Rope how = {6, style, frequencies};
    Grid x(3, 12, rng);
    const Grid dy(3, 12, rng);
    Grid dx = dy;
    rope(dx.view(), positions, how, true);
    const auto loss = [&] {
      Grid y = x;
      rope(y.view(), positions, how, false);
      return weighted(dy, y);
    };
    expect_gradient(x.values, dx.values, loss, "dx");
  }
}

TEST(Gradient, Swiglu) {
  Rng rng(4);
  Grid gate(3, 6, rng), up(3, 6, rng);
  const Grid dy(3, 6, rng);
  Grid dgate(3, 6), dup(3, 6);
  swiglu_backward(gate.read(), up.read(), dy.read(), dgate.view(), dup.view());
  const auto loss = [&] {
    Grid y(3, 6);
    swiglu(gate.read(), up.read(), y.view());
    return weighted(dy, y);
  };
  expect_gradient(gate.values, dgate.values, loss, "dgate");
  expect_gradient(up.values, dup.values, loss, "dup");
}

TEST(Gradient, AttentionOverSegmentsWithSharedKeys) {
  Rng rng(5);
  const AttentionShape shape = {4, 2, 3, 0.6f};
  const std::vector<int32_t> starts = {0, 4, 5, 5, 11};
  Grid q(11, 12, rng), k(11, 6, rng), v(11, 6, rng);
  const Grid dy(11, 12, rng);
  Grid y(11, 12), lse(11, 4), dq(11, 12), dk(11, 6), dv(11, 6);
  attention(q.read(), k.read(), v.read(), starts, shape, y.view(), lse.view());
  attention_backward(q.read(), k.read(), v.read(), y.read(), lse.read(), dy.read(), starts, shape,
                     dq.view(), dk.view(), dv.view());
  const auto loss = [&] {
    Grid out(11, 12), out_lse(11, 4);
    attention(q.read(), k.read(), v.read(), starts, shape, out.view(), out_lse.view());
    return weighted(dy, out);
  };
  expect_gradient(q.values, dq.values, loss, "dq");
  expect_gradient(k.values, dk.values, loss, "dk");
  expect_gradient(v.values, dv.values, loss, "dv");
}

TEST(Gradient, CrossEntropy) {
  Rng rng(6);
  Grid logits(4, 9, rng);
  const std::vector<int32_t> targets = {3, -1, 0, 8};
  const std::vector<double> weights = {0.5, 9.0, 0.0, 2.0};
  std::vector<double> losses(4);
  Grid gradient = logits;
  cross_entropy<double>(gradient.view(), targets, weights, losses);
  EXPECT_EQ(losses[1], 0.0);
  const auto loss = [&] {
    Grid copy = logits;
    cross_entropy<double>(copy.view(), targets, weights, losses);
    double sum = 0;
    for (size_t r = 0; r < losses.size(); ++r) sum += weights[r] * losses[r];
    return sum;
  };
  expect_gradient(logits.values, gradient.values, loss, "logits");
}

TEST(Gradient, Embedding) {
  Rng rng(7);
  Grid table(5, 3, rng);
  const std::vector<int32_t> tokens = {4, 0, 4, 4, 2};
  const Grid dy(5, 3, rng);
  Grid dtable(5, 3);
  embed_backward(tokens, dy.read(), dtable.view());
  const auto loss = [&] {
    double sum = 0;
    for (int64_t r = 0; r < 5; ++r) {
      for (int64_t i = 0; i < 3; ++i) sum += dy.read().at(r, i) * table.read().at(tokens[r], i);
    }
    return sum;
  };
  expect_gradient(table.values, dtable.values, loss, "table");
}

TEST(AdamW, FirstStepMovesByTheLearningRateAgainstTheSign) {
  // After bias correction the first step is lr * g / (|g| + eps), whatever the size of g.
  std::vector<double> w = {1, 1, 1}, m(3), v(3);
  std::vector<double> g = {1e-3, -5, 0};
  adamw<double>(w, g, m, v, {.lr = 0.1f, .weight_decay = 0.5f});
  const double lr = 0.1f;
  EXPECT_NEAR(w[0], 1 - lr * 0.5 - lr, 1e-5);
  EXPECT_NEAR(w[1], 1 - lr * 0.5 + lr, 1e-5);
  EXPECT_NEAR(w[2], 1 - lr * 0.5, 1e-12);
  EXPECT_EQ(g, std::vector<double>(3));
}

}  // namespace
}  // namespace plinth::tensor::ref
