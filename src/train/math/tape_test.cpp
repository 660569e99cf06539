#include "train/math/tape.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "train/math/tiny_base.h"

namespace plinth::train {
namespace {

struct Case {
  const char* architecture;
  const tensor::Ops& (*ops)();
  bool yarn = false;
};

model::ModelConfig config_of(const Case& which) {
  auto config = tiny_config(which.architecture);
  if (which.yarn)
    config.rope_scaling = {.kind = model::RopeScalingKind::kYarn,
                           .factor = 4,
                           .original_context = 16,
                           .magnitude = model::yarn_magnitude(4)};
  return config;
}

class TapeGradients : public testing::TestWithParam<Case> {};

// For every tensor: the loss along its own gradient's direction rises by the gradient's length.
TEST_P(TapeGradients, AgreeWithCentralDifferences) {
  const auto config = config_of(GetParam());
  TinyBase base(config);
  auto& parameters = base.parameters->parameters();
  Tape tape(*base.model, GetParam().ops());
  const auto batch = random_batch({5, 1, 9, 3}, config.vocabulary, 3, /*skip=*/4);
  const auto gradients = base.parameters->gradients();
  const double loss = tape.forward_backward(batch, {.base = &gradients, .adapter = nullptr});
  EXPECT_NEAR(loss, tape.loss(batch, nullptr), 1e-6 * loss);

  for (const auto& parameter : parameters.list()) {
    const auto first = static_cast<size_t>(parameter.offset);
    const auto n = static_cast<size_t>(parameter.rows * parameter.cols);
    const auto gradient = parameters.gradients().subspan(first, n);
    const auto values = parameters.values().subspan(first, n);
    double length = 0;
    for (const float g : gradient) length += double{g} * double{g};
    length = std::sqrt(length);
    // Without rotation a bias of k moves all of a row's scores alike: the softmax does not see it.
    const bool unseen = config.positions == model::PositionKind::kLearned &&
                        parameter.name.ends_with("k_proj.bias");
    if (unseen) {
      EXPECT_LT(length, 1e-6) << parameter.name;
      continue;
    }
    ASSERT_GT(length, 1e-4) << parameter.name;
    const std::vector<float> kept(values.begin(), values.end());
    const auto loss_at = [&](double t) {
      for (size_t i = 0; i < n; ++i)
        values[i] = static_cast<float>(double{kept[i]} + t * double{gradient[i]} / length);
      return tape.loss(batch, nullptr);
    };
    // Fourth order, so that a step wide enough for floats still has no truncation error to speak
    // of.
    const double h = 0.02;
    const double slope =
        (8 * (loss_at(h) - loss_at(-h)) - (loss_at(2 * h) - loss_at(-2 * h))) / (12 * h);
    EXPECT_NEAR(slope / length, 1.0, 2e-3) << parameter.name << " gradient length " << length;
    std::copy(kept.begin(), kept.end(), values.begin());
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, TapeGradients,
    testing::Values(Case{"qwen3", tensor::ref_ops}, Case{"qwen2", tensor::ref_ops},
                    Case{"llama", tensor::ref_ops}, Case{"qwen3", tensor::cpu_ops},
                    Case{"qwen2", tensor::cpu_ops}, Case{"llama", tensor::cpu_ops},
                    Case{"hunyuan-dense", tensor::cpu_ops}, Case{"ernie4_5", tensor::cpu_ops},
                    Case{"smollm3", tensor::cpu_ops}, Case{"gpt2", tensor::ref_ops},
                    Case{"gpt2", tensor::cpu_ops}, Case{"qwen2", tensor::cpu_ops, true}),
    [](const auto& which) {
      std::string name = which.param.architecture;
      std::erase(name, '-');
      return name + (which.param.yarn ? "_yarn" : "") +
             (which.param.ops == tensor::ref_ops ? "_ref" : "_cpu");
    });

// The gradients of a whole batch, as one vector.
std::vector<float> gradients_of(TinyBase& base, const std::vector<MicroBatch>& batches) {
  Tape tape(*base.model, tensor::default_ops());
  const auto gradients = base.parameters->gradients();
  auto all = base.parameters->parameters().gradients();
  std::fill(all.begin(), all.end(), 0.0f);
  for (const auto& batch : batches)
    tape.forward_backward(batch, {.base = &gradients, .adapter = nullptr});
  return {all.begin(), all.end()};
}

double relative_distance(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0;
  double size = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(double{a[i]} - double{b[i]}, 2);
    size += double{a[i]} * double{a[i]};
  }
  return std::sqrt(difference / size);
}

// The segments of a packed batch, each as a batch of its own.
std::vector<MicroBatch> unpack(const MicroBatch& packed) {
  std::vector<MicroBatch> alone;
  for (size_t s = 0; s + 1 < packed.segment_starts.size(); ++s) {
    const int32_t first = packed.segment_starts[s];
    const int32_t last = packed.segment_starts[s + 1];
    const auto cut = [&](const auto& rows) {
      return std::decay_t<decltype(rows)>(rows.begin() + first, rows.begin() + last);
    };
    alone.push_back({cut(packed.tokens),
                     cut(packed.positions),
                     cut(packed.targets),
                     cut(packed.weights),
                     {0, last - first}});
  }
  return alone;
}

TEST(Tape, PackedEqualsUnpacked) {
  const auto config = tiny_config();
  TinyBase base(config);
  const auto packed = random_batch({7, 2, 11, 1, 6}, config.vocabulary, 5, /*skip=*/3);
  const auto alone = unpack(packed);
  Tape tape(*base.model, tensor::default_ops());
  double sum = 0;
  for (const auto& batch : alone) sum += tape.loss(batch, nullptr);
  EXPECT_NEAR(tape.loss(packed, nullptr), sum, 1e-5 * sum);
  EXPECT_LT(relative_distance(gradients_of(base, {packed}), gradients_of(base, alone)), 1e-5);
}

TEST(Tape, ReusesItsMemoryWithoutMixingBatches) {
  const auto config = tiny_config();
  TinyBase base(config);
  const auto small = random_batch({3}, config.vocabulary, 1);
  const auto large = random_batch({30, 10}, config.vocabulary, 2);
  Tape fresh(*base.model, tensor::default_ops());
  const double expected = fresh.loss(small, nullptr);
  Tape used(*base.model, tensor::default_ops());
  used.loss(large, nullptr);
  EXPECT_EQ(used.loss(small, nullptr), expected);
}

// Whatever is kept and whatever is computed again: the same bits, and the memory that was foretold.
TEST(Tape, RecomputedLayersChangeNoBit) {
  for (const char* architecture : {"qwen2", "qwen3", "hunyuan-dense", "llama", "smollm3"}) {
    auto config = tiny_config(architecture);
    config.layers = 4;
    if (!config.unrotated.empty()) config.unrotated = {false, true, false, true};
    const auto batch = random_batch({5, 40, 9, 3}, config.vocabulary, 3);
    std::vector<float> kept;
    double kept_loss = 0;
    for (const int64_t recomputed : {0, 1, 3, 4}) {
      TinyBase base(config);
      auto& parameters = base.parameters->parameters();
      const auto gradients = base.parameters->gradients();
      Tape tape(*base.model, tensor::cpu_ops(), recomputed);
      const double loss = tape.forward_backward(batch, {.base = &gradients, .adapter = nullptr});
      EXPECT_EQ(tape.bytes(), Tape::bytes_of(config, tensor::DType::kF32, batch.rows(), recomputed))
          << architecture;
      const auto got = parameters.gradients();
      if (recomputed == 0) {
        kept.assign(got.begin(), got.end());
        kept_loss = loss;
        continue;
      }
      EXPECT_EQ(loss, kept_loss) << architecture;
      EXPECT_TRUE(std::equal(got.begin(), got.end(), kept.begin()))
          << architecture << ", " << recomputed << " layers computed again";
    }
  }
}

}  // namespace
}  // namespace plinth::train
