// Every architecture against PyTorch with transformers and PEFT, over twenty steps:
// tests/golden/train/make_architectures.py made what is compared with here.
//
// PyTorch saw one row at a time. Here the rows of a step are packed, into one micro-batch in even
// steps and into three in odd ones, and the gradient norm is clipped in nearly all of them.
#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/file.h"
#include "core/json.h"
#include "model/model.h"
#include "tensor/cpu/amx.h"
#include "train/math/base_parameters.h"
#include "train/math/dpo.h"
#include "train/math/lora.h"
#include "train/math/optimizer.h"
#include "train/math/tape.h"

namespace plinth::train {
namespace {

const Path kGolden = Path(PLINTH_SOURCE_DIR) / "tests/golden";
constexpr size_t kRowsOfAPart = 2;  // whole pairs

Json read_json(const Path& path) {
  const auto text = read_file(path);
  EXPECT_TRUE(text) << text.error().message;
  return text ? *parse_json(*text, path.string()) : Json();
}

void append(const Json& row, float weight, MicroBatch& batch) {
  const auto& tokens = row["tokens"];
  for (size_t i = 0; i + 1 < tokens.size(); ++i) {
    batch.tokens.push_back(tokens[i].get<int32_t>());
    batch.positions.push_back(static_cast<int32_t>(i));
    const bool said = i + 1 >= row["prompt"].get<size_t>();
    batch.targets.push_back(said ? tokens[i + 1].get<int32_t>() : -1);
    batch.weights.push_back(weight);
  }
  batch.segment_starts.push_back(static_cast<int32_t>(batch.rows()));
}

// The rows of a step in micro-batches of `rows_max` rows.
std::vector<MicroBatch> batches_of(const Json& rows, size_t rows_max) {
  size_t total = 0;
  for (const auto& row : rows) total += row["tokens"].size() - row["prompt"].get<size_t>();
  std::vector<MicroBatch> batches;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (i % rows_max == 0) batches.emplace_back().segment_starts.push_back(0);
    append(rows[i], 1.0f / static_cast<float>(total), batches.back());
  }
  return batches;
}

double norm_of(std::span<const float> values) {
  double squares = 0;
  for (const float value : values) squares += double{value} * double{value};
  return std::sqrt(squares);
}

// What the script calls a projection.
double projection(std::span<const float> values, int k) {
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i)
    sum += double{values[i]} * std::cos(0.7 * (k + 1) * static_cast<double>(i) + k);
  return sum;
}

// Of a tensor's gradient, how far its norm and its projections may be off, as a share of that norm.
// Measured: 2e-5 at most after twenty updates, 7e-6 in the first step; with every sum in double
// (PLINTH_DEVICE=ref) 4e-6, which is what storing float32 leaves.
constexpr double kRelative = 1e-4;

// Every tensor's gradient against the golden ones: norm, and projections where they were taken.
void expect_gradients(const Json& due, Parameters& parameters, const std::string& what) {
  EXPECT_EQ(due.size(), parameters.list().size()) << what;
  const double whole = norm_of(parameters.gradients());
  for (const auto& tensor : due) {
    const auto name = tensor["name"].get<std::string>();
    const auto at = std::ranges::find(parameters.list(), name, &Parameter::name);
    ASSERT_NE(at, parameters.list().end()) << what << ": " << name;
    const auto gradient =
        std::span<const float>(parameters.gradients())
            .subspan(static_cast<size_t>(at->offset), static_cast<size_t>(at->rows * at->cols));
    const double norm = tensor["norm"];
    // A gradient that is nothing but rounding (a bias of k without RoPE) is compared with the
    // others.
    const double bound = kRelative * norm + 1e-7 * whole;
    EXPECT_NEAR(norm_of(gradient), norm, bound) << what << ": " << name;
    if (!tensor.contains("projections")) continue;
    for (int k = 0; k < static_cast<int>(tensor["projections"].size()); ++k)
      EXPECT_NEAR(projection(gradient, k), tensor["projections"][static_cast<size_t>(k)], bound)
          << what << ": " << name << " along " << k;
  }
}

using Step = std::function<double(const std::vector<MicroBatch>&)>;

// Twenty steps of AdamW with clipping.
void expect_run(const Json& golden, const Json& run, Parameters& parameters, const Step& step,
                const std::string& what) {
  const auto& hyper = golden["hyper"];
  Optimizer optimizer(
      tensor::default_ops(), parameters,
      {hyper["beta1"], hyper["beta2"], hyper["eps"], hyper["weight_decay"], hyper["clip"]});
  const auto& batches = golden["batches"];
  for (size_t i = 0; i < batches.size(); ++i) {
    const double loss = step(batches_of(batches[i], i % 2 == 0 ? batches[i].size() : kRowsOfAPart));
    const auto place = fmt::format("{}, step {}", what, i + 1);
    const double loss_due = run["losses"][i];
    EXPECT_NEAR(loss, loss_due, 1e-4 * loss_due) << place;
    if (i == 0) expect_gradients(run["first"], parameters, place);
    if (i + 1 == batches.size()) expect_gradients(run["last"], parameters, place);
    const double norm_due = run["gradient_norms"][i];
    EXPECT_NEAR(optimizer.step(parameters, hyper["lr"]), norm_due, 1e-4 * norm_due) << place;
  }
}

class Architectures : public testing::TestWithParam<const char*> {
 protected:
  // Products of whole floats: what splitting them adds, golden_test.cpp and equality_test.cpp
  // bound.
  ~Architectures() override { tensor::cpu::amx_allowed = true; }

  void SetUp() override {
    tensor::cpu::amx_allowed = false;
    golden_ = read_json(kGolden / "train/architectures/batches.json");
    runs_ = read_json(kGolden / "train/architectures" / (name_ + ".json"));
    const auto base = model::Model::open(kGolden / "model" / name_);
    ASSERT_TRUE(base) << base.error().message;
    base_ = *base;
  }

  // A run of LoRA from the golden adapter on.
  void expect_lora(const char* kind, LoraOptions options, const double* dpo_beta = nullptr,
                   const char* adapter_folder = "adapter") {
    options.rank = golden_["hyper"]["rank"];
    options.alpha = golden_["hyper"]["alpha"];
    const auto adapter = model::Adapter::open(
        kGolden / "train/architectures" / name_ / adapter_folder, base_->config());
    ASSERT_TRUE(adapter) << adapter.error().message;
    Lora lora(tensor::default_ops(), base_->config(), options);
    const auto copied = lora.copy_from(**adapter);
    ASSERT_TRUE(copied) << copied.error().message;
    Tape tape(*base_, tensor::exact_ops());
    expect_run(
        golden_, runs_[kind], lora.parameters(),
        [&](const std::vector<MicroBatch>& parts) {
          size_t pairs = 0;
          for (const auto& part : parts) pairs += (part.segment_starts.size() - 1) / 2;
          PreferenceLoss preference(
              {dpo_beta != nullptr ? *dpo_beta : 0, 1.0 / static_cast<double>(pairs)});
          double loss = 0;
          for (const auto& part : parts)
            loss += tape.forward_backward(part, {nullptr, &lora},
                                          dpo_beta != nullptr ? &preference : nullptr);
          return loss;
        },
        fmt::format("{} {}", name_, kind));
  }

  std::string name_ = GetParam();
  Json golden_, runs_;
  std::shared_ptr<const model::Model> base_;
};

TEST_P(Architectures, FullTrainingAgreesWithPyTorch) {
  const auto full = std::make_shared<BaseParameters>(base_->config());
  full->copy_from(*base_);
  const auto gradients = full->gradients();
  const auto model = model::Model::assemble(base_->config(), full->weights(), nullptr, "", full);
  Tape tape(*model, tensor::default_ops());
  expect_run(
      golden_, runs_["full"], full->parameters(),
      [&](const std::vector<MicroBatch>& parts) {
        double loss = 0;
        for (const auto& part : parts) loss += tape.forward_backward(part, {&gradients, nullptr});
        return loss;
      },
      name_ + " full");
}

TEST_P(Architectures, LoraAgreesWithPeft) {
  expect_lora("lora", {});
}

TEST_P(Architectures, DpoAgreesWithPyTorch) {
  const double beta = golden_["hyper"]["dpo_beta"];
  expect_lora("dpo", {}, &beta);
}

// One base is enough: neither has anything to do with the architecture.
class RankStabilisedLoraPlus : public Architectures {};

TEST_P(RankStabilisedLoraPlus, AgreesWithPeft) {
  LoraOptions options;
  options.scaling = LoraScaling::kRankStabilised;
  options.b_rate = golden_["hyper"]["b_rate"];
  expect_lora("lora_plus", options);
}

// Deltas of the embedding and the head, over a base with a head of its own and over tied ones.
class Tables : public Architectures {
 protected:
  void SetUp() override {
    Architectures::SetUp();
    runs_ = read_json(kGolden / "train/architectures" / (name_ + "_tables.json"));
    const bool fused = base_->config().fused_qkv;
    options_.targets = {true, fused, fused, false, false, false, false};
    options_.embedding = options_.head = true;
  }

  LoraOptions options_;
};

TEST_P(Tables, LoraAgreesWithPeft) {
  expect_lora("lora", options_, nullptr, "tables");
}

TEST_P(Tables, DpoAgreesWithPyTorch) {
  const double beta = golden_["hyper"]["dpo_beta"];
  expect_lora("dpo", options_, &beta, "tables");
}

INSTANTIATE_TEST_SUITE_P(All, Tables, testing::Values("llama", "qwen3", "gpt2"),
                         [](const auto& which) { return std::string(which.param); });

INSTANTIATE_TEST_SUITE_P(One, RankStabilisedLoraPlus, testing::Values("qwen3"),
                         [](const auto& which) { return std::string(which.param); });

INSTANTIATE_TEST_SUITE_P(All, Architectures,
                         testing::Values("llama", "mistral", "qwen2", "qwen2_yarn", "qwen3",
                                         "hunyuan", "ernie", "smollm3", "gpt2"),
                         [](const auto& which) { return std::string(which.param); });

}  // namespace
}  // namespace plinth::train
