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
  config.head_dim = 16;
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

// B [outputs, rank], from a turned one too.
std::vector<float> values_of_b(const LowRank& delta) {
  std::vector<float> stored = values(delta.b);
  if (!delta.turned) return stored;
  const auto rank = static_cast<size_t>(delta.rank);
  std::vector<float> b(stored.size());
  for (size_t n = 0; n < b.size() / rank; ++n)
    for (size_t r = 0; r < rank; ++r)
      b[n * rank + r] = stored[n / 32 * 32 * rank + r * 32 + n % 32];
  return b;
}

// scale * B A.
std::vector<double> product(const LowRank& delta) {
  const auto a = values(delta.a), b = values_of_b(delta);
  const auto rank = static_cast<size_t>(delta.rank), inputs = static_cast<size_t>(delta.a.cols);
  std::vector<double> out;
  for (size_t n = 0; n < b.size() / rank; ++n) {
    for (size_t k = 0; k < inputs; ++k) {
      double sum = 0;
      for (size_t r = 0; r < rank; ++r) sum += double{b[n * rank + r]} * double{a[r * inputs + k]};
      out.push_back(double{delta.scale} * sum);
    }
  }
  return out;
}

// Largest difference between two deltas, relative to the largest value.
double difference(const LowRank& left, const LowRank& right) {
  const auto l = product(left), r = product(right);
  double most = 0, worst = 0;
  for (size_t i = 0; i < l.size(); ++i) {
    most = std::max(most, std::abs(l[i]));
    worst = std::max(worst, std::abs(l[i] - r[i]));
  }
  return worst / most;
}

// What `interleaved` gives, which must work.
std::shared_ptr<const Adapter> kept_over(const Model& base, const Adapter& adapter) {
  const auto copy = interleaved(adapter, base, tensor::cpu_ops());
  PLINTH_CHECK(copy, "{}", copy.error().message);
  return *copy;
}

TEST(Interleaved, AnAdapterHasNoMoreBitsThanItsBase) {
  struct Case {
    tensor::DType base, adapter;
    double error;  // of the delta, relative to its largest value
  };

  for (const auto& [type, narrow, error] :
       {Case{tensor::DType::kF32, tensor::DType::kF32, 0.0},
        Case{tensor::DType::kF16, tensor::DType::kF16, 0x1p-9},
        Case{tensor::DType::kQ8_0, tensor::DType::kQ8_0, 0x1p-6},
        Case{tensor::DType::kQ4_0, tensor::DType::kQ8_0, 0x1p-6}}) {
    const auto base = stored(type);
    for (const int64_t rank : {1, 4, 7}) {
      const auto adapter = random_adapter(base->config(), rank, 3);
      const auto copy = kept_over(*base, *adapter);
      const bool turned = narrow == tensor::DType::kQ8_0;
      for (size_t i = 0; i < kLinears; ++i) {
        const LowRank& before = adapter->layers[1][i];
        const LowRank& after = copy->layers[1][i];
        EXPECT_EQ(after.a.type, narrow);
        EXPECT_EQ(after.b.type, narrow);
        EXPECT_EQ(after.turned, turned);
        EXPECT_EQ(after.b.panel, turned ? 0 : tensor::cpu_ops().low_rank_panel());
        EXPECT_EQ(after.rank, rank);
        EXPECT_LE(difference(before, after), error)
            << tensor::dtype_name(type) << ", rank " << rank;
      }
    }
  }
}

TEST(Interleaved, OnlyWholeBlocksOfAnAdapterAreQuantised) {
  const auto base = stored(tensor::DType::kQ8_0);
  auto adapter = *random_adapter(base->config(), 4, 3);
  adapter.layers[0][0].a.cols = 60;  // no shape of this base's, but none that is looked at
  adapter.layers[0][0].b.rows = 50;
  std::vector<uint8_t> quantised(tensor::row_bytes(tensor::DType::kQ4_0, 64) * 4);
  tensor::from_f32(values(adapter.layers[0][1].a).data(), 256, tensor::DType::kQ4_0,
                   quantised.data());
  adapter.layers[0][1].a = {quantised.data(), tensor::DType::kQ4_0, 4, 64};
  const auto copy = kept_over(*base, adapter);
  EXPECT_EQ(copy->layers[0][0].a.type, tensor::DType::kF16);
  EXPECT_EQ(copy->layers[0][0].b.type, tensor::DType::kF16);
  EXPECT_FALSE(copy->layers[0][0].turned);
  EXPECT_EQ(values(copy->layers[0][1].a), values(adapter.layers[0][1].a)) << "as it was";
  EXPECT_TRUE(copy->layers[0][1].turned);
}

TEST(Interleaved, ADeltaThatIsNotFiniteStaysSo) {
  const auto base = stored(tensor::DType::kQ8_0);
  for (const float bad : {std::nanf(""), INFINITY}) {
    auto adapter = *random_adapter(base->config(), 2, 3);
    auto changed = values(adapter.layers[0][0].b);
    changed[5] = bad;
    adapter.layers[0][0].b.data = changed.data();
    const auto copy = kept_over(*base, adapter);
    for (const double value : product(copy->layers[0][0])) EXPECT_TRUE(std::isnan(value));
    for (const double value : product(copy->layers[0][1])) EXPECT_TRUE(std::isfinite(value));
  }
}

TEST(Interleaved, TinyAndLargeValuesOfAnAdapterSurviveFewerBits) {
  for (const auto type : {tensor::DType::kF16, tensor::DType::kQ8_0}) {
    const auto base = stored(type);
    const double error = type == tensor::DType::kF16 ? 0x1p-9 : 0x1p-6;
    for (const float factor : {1e-9f, 1e9f}) {
      auto adapter = *random_adapter(base->config(), 2, 3);
      auto& delta = adapter.layers[0][0];
      auto scaled = values(delta.b);
      for (float& v : scaled) v *= factor;
      delta.b.data = scaled.data();
      EXPECT_LE(difference(delta, kept_over(*base, adapter)->layers[0][0]), error) << factor;
    }
  }
}

}  // namespace
}  // namespace plinth::model
