// Quantised types against the published layouts and against the quantisers of their makers: see
// tests/golden/quant/make.py.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/file.h"
#include "core/json.h"
#include "core/rng.h"
#include "tensor/quant/fit.h"
#include "tensor/quant/layout.h"
#include "tensor/tensor.h"

namespace plinth::tensor {
namespace {

std::string lower(std::string_view name) {
  std::string out(name);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::string golden(const std::string& file) {
  const auto bytes = read_file(Path(PLINTH_SOURCE_DIR) / "tests" / "golden" / "quant" / file);
  PLINTH_CHECK(bytes.has_value(), "{}", bytes.error().message);
  return *bytes;
}

std::vector<float> floats(const std::string& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

std::vector<float> round_trip(const std::vector<float>& x, DType type) {
  std::vector<uint8_t> stored(row_bytes(type, std::ssize(x)));
  std::vector<float> back(x.size());
  from_f32(x.data(), std::ssize(x), type, stored.data());
  to_f32(stored.data(), type, std::ssize(x), back.data());
  return back;
}

class QuantTest : public testing::TestWithParam<DTypeTraits> {
 protected:
  DType type = GetParam().type;
  std::string name = lower(GetParam().name);
};

std::vector<DTypeTraits> quantised_types() {
  std::vector<DTypeTraits> types;
  for (const auto& of : kDTypes) {
    if (is_quantised(of.type)) types.push_back(of);
  }
  return types;
}

INSTANTIATE_TEST_SUITE_P(Types, QuantTest, testing::ValuesIn(quantised_types()),
                         [](const auto& of) { return std::string(of.param.name); });

TEST_P(QuantTest, DecodesBitForBitAsPublished) {
  const auto blocks = golden(name + ".blocks");
  const auto expected = golden(name + ".f32");
  const auto n = static_cast<int64_t>(expected.size() / sizeof(float));
  ASSERT_EQ(blocks.size(), row_bytes(type, n));
  std::vector<float> decoded(static_cast<size_t>(n));
  to_f32(blocks.data(), type, n, decoded.data());
  EXPECT_EQ(std::memcmp(decoded.data(), expected.data(), expected.size()), 0);
}

TEST_P(QuantTest, LosesNoMoreThanThePeers) {
  const auto x = floats(golden("values.f32"));
  const auto back = round_trip(x, type);
  double plain = 0;
  double weighted = 0;
  for (size_t block = 0; block < x.size(); block += 256) {
    double squares = 0;
    for (size_t i = block; i < block + 256; ++i) squares += double{x[i]} * x[i];
    const double rms = std::sqrt(squares / 256);
    for (size_t i = block; i < block + 256; ++i) {
      const double miss = (double{x[i]} - back[i]) * (double{x[i]} - back[i]);
      plain += miss;
      weighted += (rms + std::abs(x[i])) * miss;
    }
  }
  const auto n = static_cast<double>(x.size());
  const Json peer = Json::parse(golden("peers.json"))[std::string(GetParam().name)];
  RecordProperty("plain", std::to_string(plain / n / peer["plain"].get<double>()));
  RecordProperty("weighted", std::to_string(weighted / n / peer["weighted"].get<double>()));
  // Q8_0 is the same computation; the sum is taken in another order.
  EXPECT_LE(plain / n, peer["plain"].get<double>() * 1.000001);
  EXPECT_LE(weighted / n, peer["weighted"].get<double>() * 1.000001);
}

TEST_P(QuantTest, StaysWithinAStepOfEveryValue) {
  Rng rng(3);
  std::vector<float> x(2048);
  for (float& value : x) value = static_cast<float>(rng.normal());
  const auto back = round_trip(x, type);
  // Steps of a block that spans -peak..peak, by the bits of a code; scales of few bits and outliers
  // that a fit gives up make it up to one step instead of a half.
  const int bits = name[1] - '0';
  for (size_t block = 0; block < x.size(); block += kBlock) {
    float peak = 0;
    for (size_t i = block; i < block + kBlock; ++i) peak = std::max(peak, std::abs(x[i]));
    const float step = 2 * peak / static_cast<float>((1 << bits) - 1);
    for (size_t i = block; i < block + kBlock; ++i) EXPECT_NEAR(back[i], x[i], step) << i;
  }
}

TEST_P(QuantTest, KeepsZerosAndSurvivesTinyAndBrokenValues) {
  std::vector<float> x(1280, 0.0f);
  x[300] = 1e-42f;  // its scale is zero in F16
  x[600] = std::numeric_limits<float>::quiet_NaN();
  x[601] = std::numeric_limits<float>::infinity();
  x[800] = 3e38f;  // its square is not finite
  const auto back = round_trip(x, type);
  for (size_t i = 0; i < 512; ++i) EXPECT_EQ(back[i], 0.0f) << i;
  for (size_t i = 1024; i < 1280; ++i) EXPECT_EQ(back[i], 0.0f) << i;
}

TEST_P(QuantTest, ASecondRoundTripLosesAlmostNothing) {
  const auto once = round_trip(floats(golden("values.f32")), type);
  const auto twice = round_trip(once, type);
  double miss = 0;
  double squares = 0;
  for (size_t i = 0; i < once.size(); ++i) {
    miss += (double{once[i]} - twice[i]) * (double{once[i]} - twice[i]);
    squares += double{once[i]} * once[i];
  }
  EXPECT_LT(std::sqrt(miss / squares), 0.01);
}

TEST(SixBits, ComeBackFromTheirTwelveBytes) {
  Rng rng(5);
  for (int round = 0; round < 200; ++round) {
    SixBits six;
    for (int i = 0; i < 8; ++i) {
      six.scale[i] = static_cast<uint8_t>(rng.below(64));
      six.minimum[i] = static_cast<uint8_t>(rng.below(64));
    }
    uint8_t packed[12];
    pack_six_bits(six, packed);
    const SixBits back = unpack_six_bits(packed);
    EXPECT_EQ(std::memcmp(&back, &six, sizeof six), 0);
  }
}

TEST(NearestCode, StaysInsideAndTakesNaN) {
  const CodeRange range{-8, 7};
  EXPECT_EQ(nearest_code(2.4f, range), 2);
  EXPECT_EQ(nearest_code(-2.6f, range), -3);
  EXPECT_EQ(nearest_code(100.0f, range), 7);
  EXPECT_EQ(nearest_code(-std::numeric_limits<float>::infinity(), range), -8);
  EXPECT_EQ(nearest_code(std::numeric_limits<float>::quiet_NaN(), range), -8);
}

TEST(DTypes, AreInOrderAndFoundByName) {
  for (size_t i = 0; i < kDTypes.size(); ++i) {
    EXPECT_EQ(static_cast<size_t>(kDTypes[i].type), i);
    EXPECT_EQ(parse_dtype(kDTypes[i].name), kDTypes[i].type);
    EXPECT_EQ(parse_dtype(lower(kDTypes[i].name)), kDTypes[i].type);
  }
  EXPECT_EQ(parse_dtype("q4"), std::nullopt);
  EXPECT_EQ(parse_dtype(""), std::nullopt);
}

}  // namespace
}  // namespace plinth::tensor
