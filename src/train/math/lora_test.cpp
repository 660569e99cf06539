#include "train/math/lora.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "train/math/tiny_base.h"

namespace plinth::train {
namespace {

void fill_random(Parameters& parameters, uint64_t seed) {
  Rng rng(seed);
  for (float& value : parameters.values()) value = static_cast<float>(0.2 * rng.normal());
}

TEST(Lora, LeavesTheBaseAsItIsWhileBIsZero) {
  const auto config = tiny_config();
  TinyBase base(config);
  Lora lora(tensor::default_ops(), config, {4, 8});
  lora.initialise(3);
  Tape tape(*base.model, tensor::default_ops());
  const auto batch = random_batch({6, 4}, config.vocabulary, 1);
  EXPECT_EQ(tape.loss(batch, &lora), tape.loss(batch, nullptr));
}

TEST(Lora, GradientsAgreeWithCentralDifferences) {
  const auto config = tiny_config();
  TinyBase base(config);
  Lora lora(tensor::ref_ops(), config, {4, 8});
  fill_random(lora.parameters(), 9);
  Tape tape(*base.model, tensor::ref_ops());
  const auto batch = random_batch({5, 8, 3}, config.vocabulary, 2, /*skip=*/3);
  tape.forward_backward(batch, {.base = nullptr, .adapter = &lora});
  auto& parameters = lora.parameters();
  for (const auto& parameter : parameters.list()) {
    const auto first = static_cast<size_t>(parameter.offset);
    const auto n = static_cast<size_t>(parameter.rows * parameter.cols);
    const auto gradient = parameters.gradients().subspan(first, n);
    const auto values = parameters.values().subspan(first, n);
    double length = 0;
    for (const float g : gradient) length += double{g} * double{g};
    length = std::sqrt(length);
    const std::vector<float> kept(values.begin(), values.end());
    const auto loss_at = [&](double t) {
      for (size_t i = 0; i < n; ++i)
        values[i] = static_cast<float>(double{kept[i]} + t * double{gradient[i]} / length);
      return tape.loss(batch, &lora);
    };
    const double h = 0.02;
    const double slope =
        (8 * (loss_at(h) - loss_at(-h)) - (loss_at(2 * h) - loss_at(-2 * h))) / (12 * h);
    EXPECT_NEAR(slope / length, 1.0, 2e-3) << parameter.name;
    std::copy(kept.begin(), kept.end(), values.begin());
  }
}

TEST(Lora, TouchesOnlyItsTargets) {
  const auto config = tiny_config();
  LoraOptions options{4, 8, {}};
  options.targets[static_cast<size_t>(model::Linear::kV)] = true;
  Lora lora(tensor::default_ops(), config, options);
  EXPECT_EQ(lora.parameters().list().size(), static_cast<size_t>(2 * config.layers));
  const auto view = lora.view();
  EXPECT_TRUE(view.layers[0][static_cast<size_t>(model::Linear::kQ)].empty());
  EXPECT_EQ(view.layers[0][static_cast<size_t>(model::Linear::kV)].rank, 4);
  EXPECT_EQ(view.layers[0][static_cast<size_t>(model::Linear::kV)].scale, 2.0f);
}

TEST(Lora, TakesOverAnAdapterAndRefusesAnotherRank) {
  const auto config = tiny_config();
  Lora from(tensor::default_ops(), config, {4, 8});
  fill_random(from.parameters(), 4);
  Lora to(tensor::default_ops(), config, {4, 8});
  ASSERT_TRUE(to.copy_from(from.view()));
  EXPECT_TRUE(std::ranges::equal(from.parameters().values(), to.parameters().values()));
  Lora other(tensor::default_ops(), config, {2, 8});
  EXPECT_FALSE(other.copy_from(from.view()));
}

}  // namespace
}  // namespace plinth::train
