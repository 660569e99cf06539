#include "train/math/fused.h"

#include <algorithm>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "train/math/lora.h"
#include "train/math/noise.h"
#include "train/math/row_invariant.h"
#include "train/math/tiny_base.h"

namespace plinth::train {
namespace {

std::unique_ptr<Lora> random_lora(const model::ModelConfig& config, int64_t rank, uint64_t seed) {
  auto lora = std::make_unique<Lora>(tensor::exact_ops(), config,
                                     LoraOptions{.rank = rank,
                                                 .alpha = 2.0 * static_cast<double>(rank),
                                                 .embedding = seed != 0,
                                                 .head = seed != 1});
  Rng rng(seed);
  for (float& value : lora->parameters().values()) value = static_cast<float>(0.2 * rng.normal());
  return lora;
}

// Adapters of different ranks on sequences of their own: losses and gradients are the bits that
// each gets alone, however few rows it has; one after the other where one has most of the rows, at
// the same time where none has.
void expect_what_each_gets_alone(const std::vector<std::vector<int>>& lengths) {
  for (const auto* architecture : {"qwen3", "gpt2"}) {
    const auto config = tiny_config(architecture);
    const TinyBase base(config);
    std::vector<std::unique_ptr<Lora>> alone, together;
    std::vector<std::vector<float>> losses;
    MicroBatch all;
    FusedAdapters fused;
    Tape tape(*base.model, row_invariant_ops());
    for (size_t i = 0; i < lengths.size(); ++i) {
      const auto rank = static_cast<int64_t>(4 << i % 3);
      auto batch = random_batch(lengths[i], config.vocabulary, i + 1, /*skip=*/4);
      for (size_t s = 0; s < lengths[i].size(); ++s)
        batch.samples.push_back(static_cast<int64_t>(10 * i + s));
      if (i != 1) set_noise(5, i, batch);
      alone.push_back(random_lora(config, rank, i));
      together.push_back(random_lora(config, rank, i));
      tape.forward_backward(batch, {.base = nullptr, .adapter = alone[i].get()});
      losses.emplace_back(tape.row_losses().begin(), tape.row_losses().end());
      append_batch(batch, all);
      fused.append(together[i].get(), batch.rows());
    }
    tape.forward_backward(all, {.base = nullptr, .adapter = &fused});

    auto rows = tape.row_losses();
    for (size_t i = 0; i < lengths.size(); ++i) {
      const auto own = rows.first(losses[i].size());
      rows = rows.subspan(losses[i].size());
      EXPECT_EQ(std::vector<float>(own.begin(), own.end()), losses[i]) << "adapter " << i;
      const auto want = alone[i]->parameters().gradients();
      const auto got = together[i]->parameters().gradients();
      EXPECT_TRUE(std::ranges::equal(want, got)) << "adapter " << i;
      EXPECT_TRUE(std::ranges::any_of(want, [](float g) { return g != 0; }));
    }
  }
}

TEST(FusedAdapters, EachGetsWhatItWouldGetAlone) {
  expect_what_each_gets_alone({{5, 9}, {40}, {3, 3, 17}});
}

TEST(FusedAdapters, ManyGetWhatEachWouldGetAlone) {
  expect_what_each_gets_alone({{5, 9}, {14}, {3, 3, 7}, {13}, {9}, {14}, {2, 11}, {13}});
}

}  // namespace
}  // namespace plinth::train
