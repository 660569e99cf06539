// Against PyTorch: tests/golden/train/make.py made what is compared with here.
#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/file.h"
#include "core/json.h"
#include "model/model.h"
#include "tensor/cpu/amx.h"
#include "train/math/base_parameters.h"
#include "train/math/lora.h"
#include "train/math/optimizer.h"
#include "train/math/tape.h"

namespace plinth::train {
namespace {

const Path kFolder = Path(PLINTH_SOURCE_DIR) / "tests/golden/train";

Json read_golden() {
  const auto text = read_file(kFolder / "golden.json");
  EXPECT_TRUE(text) << text.error().message;
  return *parse_json(*text, "golden.json");
}

// The rows of one step, packed: [rows][length + 1] tokens, mean loss over all.
MicroBatch batch_of(const Json& rows) {
  MicroBatch batch;
  batch.segment_starts.push_back(0);
  const size_t n = rows.size() * (rows[0].size() - 1);
  for (const auto& row : rows) {
    for (size_t i = 0; i + 1 < row.size(); ++i) {
      batch.tokens.push_back(row[i].get<int32_t>());
      batch.targets.push_back(row[i + 1].get<int32_t>());
      batch.positions.push_back(static_cast<int32_t>(i));
      batch.weights.push_back(1.0f / static_cast<float>(n));
    }
    batch.segment_starts.push_back(static_cast<int32_t>(batch.tokens.size()));
  }
  return batch;
}

std::string our_name(std::string name) {
  const std::string prefix = "base_model.model.";
  const std::string suffix = ".default.weight";
  if (name.starts_with(prefix)) name.erase(0, prefix.size());
  if (name.ends_with(suffix)) name.erase(name.size() - suffix.size());
  return name;
}

const Parameter* find(const Parameters& parameters, const std::string& name) {
  for (const auto& parameter : parameters.list())
    if (parameter.name == name) return &parameter;
  return nullptr;
}

// Each gradient against PyTorch's, which lie behind each other from `at` on; moves `at` along.
void expect_gradients(const Json& tensors, Parameters& parameters, std::string_view bytes,
                      double bound, size_t& at) {
  for (const auto& tensor : tensors) {
    const std::string name = our_name(tensor["name"].get<std::string>());
    const auto* parameter = find(parameters, name);
    ASSERT_NE(parameter, nullptr) << name;
    const auto n = static_cast<size_t>(parameter->rows * parameter->cols);
    std::vector<float> expected(n);
    ASSERT_LE(at + n * sizeof(float), bytes.size());
    std::memcpy(expected.data(), bytes.data() + at, n * sizeof(float));
    at += n * sizeof(float);
    double difference = 0;
    double size = 0;
    const float* ours = parameters.gradients().data() + parameter->offset;
    for (size_t i = 0; i < n; ++i) {
      difference += std::pow(double{ours[i]} - double{expected[i]}, 2);
      size += double{expected[i]} * double{expected[i]};
    }
    EXPECT_LT(std::sqrt(difference / size), bound) << name;
    EXPECT_NEAR(std::sqrt(size), tensor["norm"].get<double>(), bound * std::sqrt(size)) << name;
  }
}

// 20 steps of AdamW with clipping: losses and gradient norms as PyTorch has them.
void expect_losses(const Json& golden, const Json& expected, Parameters& parameters,
                   const std::function<double(const MicroBatch&)>& forward_backward) {
  const auto& recipe = golden["recipe"];
  Optimizer optimizer(
      tensor::default_ops(), parameters,
      {recipe["beta1"], recipe["beta2"], recipe["eps"], recipe["weight_decay"], recipe["clip"]});
  for (size_t step = 0; step < golden["batches"].size(); ++step) {
    const double loss = forward_backward(batch_of(golden["batches"][step]));
    const double norm = optimizer.step(parameters, recipe["lr"]);
    const double loss_due = expected["losses"][step];
    const double norm_due = expected["gradient_norms"][step];
    EXPECT_NEAR(loss, loss_due, 1e-4 * loss_due) << "step " << step;
    EXPECT_NEAR(norm, norm_due, 1e-4 * norm_due) << "step " << step;
  }
}

// With a matrix unit, whose products split floats (tensor/ops.h), and without.
class Golden : public testing::TestWithParam<bool> {
 protected:
  Golden() { tensor::cpu::amx_allowed = GetParam(); }

  ~Golden() override { tensor::cpu::amx_allowed = true; }

  const double gradient_bound = GetParam() ? 1e-4 : 1e-5;
};

INSTANTIATE_TEST_SUITE_P(Products, Golden, testing::Bool(), [](const auto& tiles) {
  return tiles.param ? "WithTiles" : "WithoutTiles";
});

TEST_P(Golden, FullTrainingAndLoraAgreeWithPyTorch) {
  const Json golden = read_golden();
  const auto bytes = read_file(kFolder / "gradients.f32");
  ASSERT_TRUE(bytes) << bytes.error().message;
  const auto base = model::Model::open(kFolder / "base");
  ASSERT_TRUE(base) << base.error().message;
  const MicroBatch first = batch_of(golden["batches"][0]);
  size_t at = 0;
  {
    const auto full = std::make_shared<BaseParameters>((*base)->config());
    full->copy_from(**base);
    const auto gradients = full->gradients();
    const auto model =
        model::Model::assemble((*base)->config(), full->weights(), nullptr, "", full);
    Tape tape(*model, tensor::default_ops());
    tape.forward_backward(first, {&gradients, nullptr});
    expect_gradients(golden["full"]["tensors"], full->parameters(), *bytes, gradient_bound, at);
    auto all = full->parameters().gradients();
    std::fill(all.begin(), all.end(), 0.0f);
    expect_losses(golden, golden["full"], full->parameters(), [&](const MicroBatch& batch) {
      return tape.forward_backward(batch, {&gradients, nullptr});
    });
  }
  const auto adapter = model::Adapter::open(kFolder / "adapter", (*base)->config());
  ASSERT_TRUE(adapter) << adapter.error().message;
  Lora lora(tensor::default_ops(), (*base)->config(),
            {golden["rank"].get<int64_t>(), golden["alpha"].get<double>()});
  const auto copied = lora.copy_from(**adapter);
  ASSERT_TRUE(copied) << copied.error().message;
  Tape tape(**base, tensor::default_ops());
  tape.forward_backward(first, {nullptr, &lora});
  expect_gradients(golden["lora"]["tensors"], lora.parameters(), *bytes, gradient_bound, at);
  EXPECT_EQ(at, bytes->size());
  auto all = lora.parameters().gradients();
  std::fill(all.begin(), all.end(), 0.0f);
  expect_losses(golden, golden["lora"], lora.parameters(), [&](const MicroBatch& batch) {
    return tape.forward_backward(batch, {nullptr, &lora});
  });
}

}  // namespace
}  // namespace plinth::train
