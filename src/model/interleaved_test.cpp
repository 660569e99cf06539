// Models and adapters as an engine keeps them: the same numbers in another order.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "core/file.h"
#include "model/test_model.h"

namespace plinth::model {
namespace {

std::vector<float> values(const tensor::Weight& w) {
  std::vector<float> out(static_cast<size_t>(w.rows * w.cols));
  std::vector<uint8_t> scratch;
  for (int64_t r = 0; r < w.rows; ++r)
    tensor::to_f32(w.row(r, scratch), w.type, w.cols, out.data() + r * w.cols);
  return out;
}

// Of a GGUF file with matrices of one type.
std::shared_ptr<const Model> stored(tensor::DType type) {
  auto config = tiny_config("qwen3");
  config.width = 64;
  config.ffn = 96;
  const Path path = Path(testing::TempDir()) / fmt::format("{}.gguf", tensor::dtype_name(type));
  const auto written = write_gguf(path, *random_model(config, 5), type, Json::object());
  PLINTH_CHECK(written, "{}", written.error().message);
  auto opened = Model::open(path);
  PLINTH_CHECK(opened, "{}", opened.error().message);
  return *opened;
}

void expect_same_weights(const Model& got, const Model& want) {
  EXPECT_EQ(values(got.weights().head), values(want.weights().head));
  for (size_t layer = 0; layer < want.weights().layers.size(); ++layer) {
    for (size_t i = 0; i < kLinears; ++i)
      EXPECT_EQ(values(got.weights().layers[layer].linear[i]),
                values(want.weights().layers[layer].linear[i]));
  }
}

TEST(Interleaved, AModelHasTheSameWeightsAtEveryMoment) {
  const auto base = stored(tensor::DType::kQ8_0);
  Interleaving interleaving(base, tensor::cpu_ops());
  const Model& copy = interleaving.model();
  EXPECT_EQ(copy.digest(), base->digest());
  for (bool more = true; more;) {
    const auto advanced = interleaving.advance();
    ASSERT_TRUE(advanced) << advanced.error().message;
    more = *advanced;
    expect_same_weights(copy, *base);
  }
  EXPECT_FALSE(*interleaving.advance());
  EXPECT_EQ(copy.weight_bytes(), base->weight_bytes());
  EXPECT_GT(copy.weights().head.panel, 0);
  EXPECT_GT(copy.weights().layers.back().linear.back().panel, 0);
  EXPECT_EQ(base->weights().head.panel, 0);
}

TEST(Interleaved, AModelOfPlainNumbersIsReadyAtOnce) {
  EXPECT_FALSE(*Interleaving(stored(tensor::DType::kF16), tensor::cpu_ops()).advance());
  EXPECT_FALSE(*Interleaving(stored(tensor::DType::kQ8_0), tensor::ref_ops()).advance());
}

// The first column of scale * B A.
std::vector<double> first_column(const LowRank& delta) {
  const auto a = values(delta.a), b = values(delta.b);
  std::vector<double> column(static_cast<size_t>(delta.b.rows));
  for (size_t n = 0; n < column.size(); ++n) {
    for (int64_t r = 0; r < delta.rank; ++r)
      column[n] += double{delta.scale} *
                   double{b[n * static_cast<size_t>(delta.rank) + static_cast<size_t>(r)]} *
                   double{a[static_cast<size_t>(r * delta.a.cols)]};
  }
  return column;
}

// Largest difference between two deltas, relative to the largest value.
double difference(const LowRank& left, const LowRank& right) {
  const auto l = first_column(left), r = first_column(right);
  double most = 0, worst = 0;
  for (size_t i = 0; i < l.size(); ++i) {
    most = std::max(most, std::abs(l[i]));
    worst = std::max(worst, std::abs(l[i] - r[i]));
  }
  return worst / most;
}

TEST(Interleaved, AnAdapterIsRoundedOnlyOverABaseOfSixteenBits) {
  for (const auto type : {tensor::DType::kF32, tensor::DType::kF16, tensor::DType::kQ8_0}) {
    const auto base = stored(type);
    const auto adapter = random_adapter(base->config(), 4, 3);
    const auto copy = interleaved(*adapter, *base, tensor::cpu_ops());
    ASSERT_TRUE(copy) << copy.error().message;
    const bool narrow = type != tensor::DType::kF32;
    for (size_t i = 0; i < kLinears; ++i) {
      const LowRank& before = adapter->layers[1][i];
      const LowRank& after = (*copy)->layers[1][i];
      EXPECT_EQ(after.a.type, narrow ? tensor::DType::kF16 : tensor::DType::kF32);
      EXPECT_EQ(after.b.panel, tensor::cpu_ops().low_rank_panel());
      EXPECT_EQ(after.rank, 4);
      EXPECT_LE(difference(before, after), narrow ? 0x1p-9 : 0.0);
    }
  }
}

TEST(Interleaved, TinyAndLargeValuesOfAnAdapterSurviveSixteenBits) {
  const auto base = stored(tensor::DType::kF16);
  for (const float factor : {1e-9f, 1e9f}) {
    auto adapter = *random_adapter(base->config(), 2, 3);
    auto& delta = adapter.layers[0][0];
    auto scaled = values(delta.b);
    for (float& v : scaled) v *= factor;
    delta.b.data = scaled.data();
    const auto copy = interleaved(adapter, *base, tensor::cpu_ops());
    ASSERT_TRUE(copy) << copy.error().message;
    EXPECT_LE(difference(delta, (*copy)->layers[0][0]), 0x1p-9) << factor;
  }
}

}  // namespace
}  // namespace plinth::model
