// Equalities that training rests on, over every kind of objective and stored base.
#include <algorithm>
#include <cmath>
#include <list>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "tensor/cpu/amx.h"
#include "tensor/quant/panels.h"
#include "train/math/dpo.h"
#include "train/math/lora.h"
#include "train/math/noise.h"
#include "train/math/tiny_base.h"

namespace plinth::train {
namespace {

double relative_distance(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0;
  double size = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(double{a[i]} - double{b[i]}, 2);
    size += double{a[i]} * double{a[i]};
  }
  return std::sqrt(difference / size);
}

// Segments [first, first + n) of a batch as a batch of their own.
MicroBatch part_of(const MicroBatch& batch, size_t first, size_t n) {
  const int32_t begin = batch.segment_starts[first];
  const int32_t end = batch.segment_starts[first + n];
  const auto cut = [&](const auto& rows) {
    return std::decay_t<decltype(rows)>(rows.begin() + begin, rows.begin() + end);
  };
  MicroBatch part = {
      cut(batch.tokens), cut(batch.positions), cut(batch.targets), cut(batch.weights), {}};
  for (size_t s = first; s <= first + n; ++s)
    part.segment_starts.push_back(batch.segment_starts[s] - begin);
  if (!batch.noise.empty())
    part.noise.assign(batch.noise.begin() + static_cast<std::ptrdiff_t>(first),
                      batch.noise.begin() + static_cast<std::ptrdiff_t>(first + n));
  return part;
}

struct Outcome {
  double loss = 0;
  std::vector<float> gradients;
};

// Six segments at once, two at a time, and (without pairs) one at a time.
class Parts : public testing::TestWithParam<const char*> {
 protected:
  ~Parts() override { tensor::cpu::amx_allowed = true; }

  Outcome run(const std::vector<MicroBatch>& parts, const PreferenceLoss* preference) {
    Outcome outcome;
    Tape tape(*base_.model, tensor::exact_ops());
    auto all = lora_.parameters().gradients();
    std::fill(all.begin(), all.end(), 0.0f);
    for (const auto& part : parts) {
      std::optional<PreferenceLoss> own;
      if (preference != nullptr) own = *preference;
      outcome.loss += tape.forward_backward(part, {nullptr, &lora_}, own ? &*own : nullptr);
    }
    outcome.gradients.assign(all.begin(), all.end());
    return outcome;
  }

  void expect_equal(const MicroBatch& whole, size_t segments_of_a_part,
                    const PreferenceLoss* preference = nullptr) {
    std::vector<MicroBatch> parts;
    for (size_t s = 0; s + 1 < whole.segment_starts.size(); s += segments_of_a_part)
      parts.push_back(part_of(whole, s, segments_of_a_part));
    // Another number of rows may get another kernel: with tiles one that splits floats.
    for (const bool tiles : {false, true}) {
      tensor::cpu::amx_allowed = tiles;
      const double bound = tiles ? 1e-4 : 1e-5;
      const Outcome once = run({whole}, preference);
      const Outcome apart = run(parts, preference);
      EXPECT_NEAR(once.loss, apart.loss, bound * std::abs(once.loss)) << tiles;
      EXPECT_LT(relative_distance(once.gradients, apart.gradients), bound) << tiles;
    }
  }

  model::ModelConfig config_ = tiny_config(GetParam());
  TinyBase base_{config_};
  Lora lora_ = [this] {
    Lora lora(tensor::exact_ops(), config_, {4, 8});
    Rng rng(5);
    for (float& value : lora.parameters().values()) value = static_cast<float>(0.2 * rng.normal());
    return lora;
  }();
  MicroBatch batch_ = random_batch({7, 2, 11, 1, 6, 9}, config_.vocabulary, 5, /*skip=*/3);
};

TEST_P(Parts, SupervisedStepsAreTheSameAtOnceAndApart) {
  expect_equal(batch_, 2);
  expect_equal(batch_, 1);
}

TEST_P(Parts, PreferencesAreTheSameAtOnceAndApart) {
  const PreferenceLoss preference({0.4, 1.0 / 3});
  expect_equal(batch_, 2, &preference);
}

TEST_P(Parts, NoiseIsTheSameAtOnceAndApart) {
  const double clean = run({batch_}, nullptr).loss;
  batch_.samples = {4, 9, 0, 12, 7, 1};
  set_noise(5, /*step_seed=*/3, batch_);
  expect_equal(batch_, 2);
  expect_equal(batch_, 1);
  EXPECT_NE(run({batch_}, nullptr).loss, clean);
}

INSTANTIATE_TEST_SUITE_P(All, Parts, testing::Values("qwen3", "qwen2", "gpt2", "smollm3"),
                         [](const auto& which) { return std::string(which.param); });

TEST(Noise, StaysWithinItsBoundAndFillsIt) {
  MicroBatch batch = random_batch({50, 3}, 37, 1);
  batch.samples = {0, 1};
  set_noise(6, /*step_seed=*/0, batch);
  std::vector<float> zeros(53 * 16);
  const auto x = tensor::matrix(zeros.data(), 53, 16);
  add_noise(batch, x);
  for (const auto& [first, rows] : {std::pair{0, 50}, std::pair{50, 3}}) {
    const double bound = 6 / std::sqrt(rows * 16.0);
    double largest = 0;
    double sum = 0;
    for (int r = first; r < first + rows; ++r)
      for (int c = 0; c < 16; ++c) {
        largest = std::max(largest, std::abs(double{x.row(r)[c]}));
        sum += double{x.row(r)[c]};
      }
    EXPECT_LE(largest, bound * (1 + 1e-6));
    EXPECT_GT(largest, 0.8 * bound);
    EXPECT_LT(std::abs(sum / (rows * 16)), 0.2 * bound);
  }
}

TEST(Preference, AnAdapterOfNothingLosesTheLogarithmOfTwo) {
  const auto config = tiny_config();
  TinyBase base(config);
  Lora lora(tensor::exact_ops(), config, {4, 8});
  lora.initialise(3);
  Tape tape(*base.model, tensor::exact_ops());
  PreferenceLoss preference({0.1, 0.5});
  const auto batch = random_batch({6, 4, 3, 9}, config.vocabulary, 1, 2);
  EXPECT_NEAR(tape.loss(batch, &lora, &preference), std::log(2.0), 1e-12);
  EXPECT_EQ(preference.pairs(), 2);
  EXPECT_EQ(preference.preferred(), 0);
}

TEST(Preference, GradientsAgreeWithCentralDifferences) {
  const auto config = tiny_config();
  TinyBase base(config);
  Lora lora(tensor::ref_ops(), config, {3, 6});
  Rng rng(9);
  for (float& value : lora.parameters().values()) value = static_cast<float>(0.2 * rng.normal());
  Tape tape(*base.model, tensor::ref_ops());
  const auto batch = random_batch({5, 8, 3, 4}, config.vocabulary, 2, /*skip=*/3);
  PreferenceLoss preference({0.5, 0.5});
  const double loss = tape.forward_backward(batch, {nullptr, &lora}, &preference);
  EXPECT_NEAR(tape.loss(batch, &lora, &preference), loss, 1e-6);
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
      return tape.loss(batch, &lora, &preference);
    };
    const double h = 0.01;
    const double slope =
        (8 * (loss_at(h) - loss_at(-h)) - (loss_at(2 * h) - loss_at(-2 * h))) / (12 * h);
    EXPECT_NEAR(slope / length, 1.0, 3e-3) << parameter.name << " of length " << length;
    std::copy(kept.begin(), kept.end(), values.begin());
  }
}

// A base of a stored type, as it lies in its file, interleaved as an engine has it, and decoded to
// floats: the same losses and gradients, the first two bit for bit.
TEST(Quantised, TrainsLikeItsDecodedBaseAndOnInterleavedWeights) {
  auto config = tiny_config();
  config.width = 256;
  config.ffn = 512;
  config.head_dim = 64;
  const TinyBase floats(config);
  for (const auto type : {tensor::DType::kQ8_0, tensor::DType::kQ4_0, tensor::DType::kQ4_K}) {
    const std::string name(tensor::dtype_name(type));
    std::list<std::vector<std::byte>> memory;  // stays where it is
    std::list<std::vector<float>> decoded;
    const auto quantised = [&](const tensor::Weight& from, bool panels, bool as_floats) {
      auto& bytes =
          memory.emplace_back(tensor::row_bytes(type, from.cols) * static_cast<size_t>(from.rows));
      tensor::from_f32(static_cast<const float*>(from.data), from.rows * from.cols, type,
                       bytes.data());
      const tensor::Weight stored = {bytes.data(), type, from.rows, from.cols};
      if (as_floats) {
        auto& values = decoded.emplace_back(static_cast<size_t>(from.rows * from.cols));
        tensor::to_f32(bytes.data(), type, from.rows * from.cols, values.data());
        return tensor::Weight{values.data(), tensor::DType::kF32, from.rows, from.cols};
      }
      const int height = tensor::default_ops().panel(type);
      if (!panels || height == 0) return stored;
      auto& interleaved =
          memory.emplace_back(tensor::interleaved_bytes(type, from.rows, from.cols, height));
      return tensor::interleave(stored, height, interleaved.data());
    };
    const auto run = [&](bool panels, bool as_floats) {
      auto weights = floats.parameters->weights();
      weights.embedding = weights.head = quantised(weights.head, panels, as_floats);
      for (auto& layer : weights.layers)
        for (auto& linear : layer.linear) linear = quantised(linear, panels, as_floats);
      const auto model = model::Model::assemble(config, weights, nullptr, "", floats.parameters);
      Lora lora(tensor::exact_ops(), config, {4, 8});
      Rng rng(4);
      for (float& v : lora.parameters().values()) v = static_cast<float>(0.05 * rng.normal());
      Tape tape(*model, tensor::exact_ops());
      Outcome outcome;
      for (const auto& lengths : {std::vector<int>{20, 30}, std::vector<int>{3}})
        outcome.loss +=
            tape.forward_backward(random_batch(lengths, config.vocabulary, 6), {nullptr, &lora});
      const auto all = lora.parameters().gradients();
      outcome.gradients.assign(all.begin(), all.end());
      return outcome;
    };
    const Outcome stored = run(false, false);
    const Outcome interleaved = run(true, false);
    const Outcome exact = run(false, true);
    EXPECT_EQ(stored.loss, interleaved.loss) << name;
    EXPECT_EQ(stored.gradients, interleaved.gradients) << name;
    EXPECT_NEAR(stored.loss, exact.loss, 1e-5 * exact.loss) << name;
    EXPECT_LT(relative_distance(exact.gradients, stored.gradients), 1e-5) << name;
  }
}

}  // namespace
}  // namespace plinth::train
