#include "train/math/fused.h"

#include <cmath>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "train/math/lora.h"
#include "train/math/tiny_base.h"

namespace plinth::train {
namespace {

std::unique_ptr<Lora> random_lora(const model::ModelConfig& config, int64_t rank, uint64_t seed) {
  auto lora =
      std::make_unique<Lora>(tensor::exact_ops(), config,
                             LoraOptions{.rank = rank, .alpha = 2.0 * static_cast<double>(rank)});
  Rng rng(seed);
  for (float& value : lora->parameters().values()) value = static_cast<float>(0.2 * rng.normal());
  return lora;
}

// Three adapters of different ranks on sequences of their own: losses and gradients as alone.
TEST(FusedAdapters, EachGetsWhatItWouldGetAlone) {
  const auto config = tiny_config("qwen3");
  const TinyBase base(config);
  const std::vector<std::vector<int>> lengths = {{5, 9}, {40}, {3, 3, 17}};
  std::vector<std::unique_ptr<Lora>> alone, together;
  std::vector<double> losses;
  MicroBatch all;
  FusedAdapters fused;
  Tape tape(*base.model, tensor::exact_ops());
  for (size_t i = 0; i < lengths.size(); ++i) {
    const auto rank = static_cast<int64_t>(4 << i);
    const auto batch = random_batch(lengths[i], config.vocabulary, i + 1, /*skip=*/4);
    alone.push_back(random_lora(config, rank, i));
    together.push_back(random_lora(config, rank, i));
    losses.push_back(tape.forward_backward(batch, {.base = nullptr, .adapter = alone[i].get()}));
    append_batch(batch, all);
    fused.append(together[i].get(), batch.rows());
  }
  tape.forward_backward(all, {.base = nullptr, .adapter = &fused});

  size_t row = 0;
  for (size_t i = 0; i < lengths.size(); ++i) {
    double loss = 0;
    for (const int length : lengths[i])
      for (int t = 0; t < length; ++t, ++row)
        loss += double{all.weights[row]} * double{tape.row_losses()[row]};
    EXPECT_NEAR(loss, losses[i], 5e-6 * losses[i]);
    double difference = 0, size = 0;
    const auto want = alone[i]->parameters().gradients();
    const auto got = together[i]->parameters().gradients();
    for (size_t j = 0; j < want.size(); ++j) {
      difference += std::pow(double{got[j]} - double{want[j]}, 2);
      size += double{want[j]} * double{want[j]};
    }
    EXPECT_LT(std::sqrt(difference / size), 5e-5) << "adapter " << i;
  }
}

}  // namespace
}  // namespace plinth::train
