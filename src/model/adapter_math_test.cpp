#include "model/adapter_math.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "model/formats/adapter_checks.h"
#include "model/test_model.h"

namespace plinth::model {
namespace {

const std::vector<int32_t> kIds = {1, 5, 9, 2, 7, 30, 3};

class AdapterMath : public testing::TestWithParam<const char*> {
 protected:
  std::vector<float> logits(const Model& model, const Adapter* adapter) {
    return forward(model, tensor::ref_ops(), kIds, adapter);
  }

  ModelConfig config_ = tiny_config(GetParam());
  std::shared_ptr<const Model> base_ = random_model(config_, 1);
};

TEST_P(AdapterMath, AMergedModelComputesWhatBaseAndAdapterDo) {
  const auto adapter = random_adapter(config_, 4, 2, /*tables=*/true);
  const auto expected = logits(*base_, adapter.get());
  ASSERT_GT(relative_error(logits(*base_, nullptr), expected), 1e-3) << "proves nothing";
  const auto whole = merged(base_, *adapter);
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_LE(relative_error(logits(**whole, nullptr), expected), 1e-5);

  const auto folder = *TempDirectory::create();

  const struct {
    tensor::DType type;
    double error;
  } kTypes[] = {
      {tensor::DType::kF32, 1e-5}, {tensor::DType::kF16, 5e-3}, {tensor::DType::kQ8_0, 5e-2}};

  for (const auto& [type, error] : kTypes) {
    const Path path = folder.path() / "whole.gguf";
    const auto written = write_gguf(path, **whole, type, Json::object());
    ASSERT_TRUE(written) << written.error().message;
    const auto opened = Model::open(path);
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_LE(relative_error(logits(**opened, nullptr), expected), error)
        << tensor::dtype_name(type);
  }
}

TEST_P(AdapterMath, ASumIsExact) {
  const auto a = random_adapter(config_, 4, 2, /*tables=*/true);
  auto b = *random_adapter(config_, 3, 3, /*tables=*/true);
  b.layers[0][0] = {};  // parts may change different layers
  const std::vector<Weighted> parts = {{a.get(), 0.7}, {&b, -0.3}};
  const auto sum = weighted_sum(parts, config_);
  ASSERT_TRUE(sum) << sum.error().message;
  EXPECT_EQ((*sum)->layers[0][0].rank, 4);
  EXPECT_EQ((*sum)->layers[0][1].rank, 7);
  EXPECT_EQ((*sum)->embedding.rank, 7);

  // The same by merging one part after the other, each at its strength.
  auto at_strength = [](Adapter adapter, float strength) {
    for (LowRank* delta : delta_places(adapter)) delta->scale *= strength;
    return adapter;
  };
  const auto with_a = merged(base_, at_strength(*a, 0.7f));
  ASSERT_TRUE(with_a);
  const auto with_both = merged(*with_a, at_strength(b, -0.3f));
  ASSERT_TRUE(with_both);
  EXPECT_LE(relative_error(logits(*base_, sum->get()), logits(**with_both, nullptr)), 1e-5);
}

TEST_P(AdapterMath, RefactoringToTheFullRankChangesNothing) {
  const auto adapter = random_adapter(config_, 4, 2, /*tables=*/true);
  const auto same = refactored(*adapter, config_, 4);
  ASSERT_TRUE(same) << same.error().message;
  EXPECT_NEAR(same->kept, 1, 1e-12);
  EXPECT_LE(relative_error(logits(*base_, same->adapter.get()), logits(*base_, adapter.get())),
            1e-5);
}

// A base whose head is its embedding: a delta of one table changes nothing of the other.
TEST_P(AdapterMath, ADeltaOfOneTableIsNoneOfTheOther) {
  auto only_embedding = *random_adapter(config_, 4, 2, /*tables=*/true);
  for (auto& layer : only_embedding.layers) layer = {};
  auto only_head = only_embedding;
  only_embedding.head = {};
  only_head.embedding = {};
  for (const auto* adapter : {&only_embedding, &only_head}) {
    const auto whole = merged(base_, *adapter);
    ASSERT_TRUE(whole) << whole.error().message;
    const auto expected = logits(*base_, adapter);
    ASSERT_GT(relative_error(logits(*base_, nullptr), expected), 1e-3) << "proves nothing";
    EXPECT_LE(relative_error(logits(**whole, nullptr), expected), 1e-5);
    EXPECT_FALSE((*whole)->config().tied);
  }
}

INSTANTIATE_TEST_SUITE_P(Of, AdapterMath, testing::Values("qwen3", "llama", "gpt2"));

// a + 0 a of rank 8 is a: what is kept of rank 4 is everything, and of lower ranks ever less.
TEST(AdapterRefactoring, KeepsTheLargestDirections) {
  const auto config = tiny_config("qwen3");
  const auto a = random_adapter(config, 4, 2);
  const std::vector<Weighted> parts = {{a.get(), 0.25}, {a.get(), 0.75}};
  const auto sum = weighted_sum(parts, config);
  ASSERT_TRUE(sum) << sum.error().message;
  double last = 1 + 1e-9;
  for (const int64_t rank : {4, 3, 2, 1}) {
    const auto lower = refactored(**sum, config, rank);
    ASSERT_TRUE(lower) << lower.error().message;
    EXPECT_EQ(lower->adapter->layers[0][0].rank, rank);
    EXPECT_LT(lower->kept, last);
    last = lower->kept - 1e-9;
    if (rank == 4) {
      EXPECT_NEAR(lower->kept, 1, 1e-12);
    }
  }
  EXPECT_GT(last, 0.2);
}

TEST(AdapterSum, RefusesRanksBeyondTheLimitAndOtherShapes) {
  const auto config = tiny_config("qwen3");
  const auto a = random_adapter(config, 4, 2);
  const std::vector<Weighted> many(65, Weighted{a.get(), 1.0});
  const auto refused = weighted_sum(many, config);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("add up to 260, the limit is 256"), std::string::npos);
  auto other = config;
  ++other.layers;
  EXPECT_FALSE(weighted_sum(std::vector{Weighted{a.get(), 1.0}}, other));
}

}  // namespace
}  // namespace plinth::model
