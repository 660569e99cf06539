// Every other operation of cpu_ops() against ref_ops().
#include <numeric>

#include "core/threads.h"
#include "tensor/quant/panels.h"
#include "tensor/test_ops.h"

namespace plinth::tensor {
namespace {

INSTANTIATE_TEST_SUITE_P(Targets, OpsTest, testing::ValuesIn(machine_targets()),
                         [](const auto& target) { return hwy::TargetName(target.param); });

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

TEST_P(OpsTest, TheGradientOfLayerNormMatchesTheReference) {
  for (const int64_t cols : kSizes) {
    if (cols == 0) continue;
    for (const int64_t rows : {0, 1, 5, 300}) {
      const std::string what = fmt::format("layer_norm {} x {}", rows, cols);
      Grid x = random_grid(rng, rows, cols, 3);
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < cols; ++c) x.view().row(r)[c] += 5.0f;
      const auto gain = random_values(rng, cols);
      const Grid dy = random_grid(rng, rows, cols, 1);
      Grid dx = random_grid(rng, rows, cols, 2);
      Grid dx_ref = dx;
      Grid dx_frozen = dx;
      auto dgain = random_values(rng, cols), dbias = random_values(rng, cols);
      auto dgain_ref = dgain, dbias_ref = dbias;
      // One column has no variance: everything hangs on eps.
      const float eps = cols == 1 ? 1.0f : 1e-5f;
      cpu.layer_norm_backward(x.read(), gain.data(), eps, dy.read(), dx.view(), dgain.data(),
                              dbias.data());
      ref.layer_norm_backward(x.read(), gain.data(), eps, dy.read(), dx_ref.view(),
                              dgain_ref.data(), dbias_ref.data());
      expect_close(dx, dx_ref, 5e-5, "dx of " + what);
      expect_close(dgain, dgain_ref, 5e-5, "dgain of " + what);
      expect_close(dbias, dbias_ref, 1e-5, "dbias of " + what);
      cpu.layer_norm_backward(x.read(), gain.data(), eps, dy.read(), dx_frozen.view(), nullptr,
                              nullptr);
      expect_close(dx_frozen, dx, 0.0, "dx with a frozen gain of " + what);
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

      Grid dy = random_grid(rng, rows, cols, 1);
      Grid dx(rows, cols, 1);
      Grid dx_ref(rows, cols, 1);
      cpu.gelu_backward(x.read(), dy.read(), dx.view());
      ref.gelu_backward(x.read(), dy.read(), dx_ref.view());
      expect_close(dx, dx_ref, 2e-6, "gradient of " + what);
      cpu.gelu_backward(x.read(), dy.read(), dy.view());
      expect_close(dy, dx, 0.0, "gradient in place of " + what);
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

TEST_P(OpsTest, SumsOfExponentialsMatchTheReference) {
  for (const int64_t n : {1, 5, 1023, 1024, 1025, 40001}) {
    auto x = random_values(rng, n);
    for (float& value : x) value *= 20;
    x[static_cast<size_t>(n / 2)] = -INFINITY;
    std::vector<float> sums(static_cast<size_t>((n + kExpSums - 1) / kExpSums));
    std::vector<float> sums_ref = sums;
    cpu.exp_sums(x, 20.0f, 0.7f, sums);
    ref.exp_sums(x, 20.0f, 0.7f, sums_ref);
    for (size_t i = 0; i < sums.size(); ++i)
      EXPECT_NEAR(sums[i], sums_ref[i], 1e-5 * sums_ref[i]) << n << " " << i;
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
    auto g = x, g_ref = x;
    cpu.adamw(w, g, m, v, hyper);
    ref.adamw(w_ref, g_ref, m_ref, v_ref, hyper);
    EXPECT_EQ(g, std::vector<float>(x.size(), 0.0f)) << what;
    EXPECT_EQ(g_ref, g) << what;
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
