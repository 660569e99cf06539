#include "engine/batch_invariant.h"

#include <cstring>

#include <gtest/gtest.h>

#include "core/rng.h"

namespace plinth::engine {
namespace {

using tensor::DType;

TEST(BatchInvariant, ARowsProductIsTheSameInAnyCompany) {
  constexpr int64_t kCols = 512;
  constexpr int64_t kOutputs = 37;
  constexpr int64_t kRows = 70;
  Rng rng(1);
  const auto random = [&](int64_t n) {
    std::vector<float> floats(static_cast<size_t>(n));
    for (float& x : floats) x = static_cast<float>(rng.normal());
    return floats;
  };
  const auto floats = random(kOutputs * kCols);
  const auto x = random(kRows * kCols);
  for (const DType type :
       {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_0, DType::kQ4_1,
        DType::kQ5_0, DType::kQ5_1, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K}) {
    const size_t row_bytes = tensor::row_bytes(type, kCols);
    std::vector<std::byte> bytes(row_bytes * kOutputs);
    for (int64_t r = 0; r < kOutputs; ++r)
      tensor::from_f32(floats.data() + r * kCols, kCols, type,
                       bytes.data() + row_bytes * static_cast<size_t>(r));
    const tensor::Weight w{bytes.data(), type, kOutputs, kCols};
    std::vector<float> alone(kRows * kOutputs);
    for (int64_t r = 0; r < kRows; ++r)
      batch_invariant_ops().linear(tensor::matrix(x.data() + r * kCols, 1, kCols), w,
                                   tensor::matrix(alone.data() + r * kOutputs, 1, kOutputs), false);
    for (int64_t rows = 1; rows <= kRows; ++rows) {
      const int64_t first = kRows - rows;  // other neighbours each time
      std::vector<float> y(static_cast<size_t>(rows * kOutputs));
      batch_invariant_ops().linear(tensor::matrix(x.data() + first * kCols, rows, kCols), w,
                                   tensor::matrix(y.data(), rows, kOutputs), false);
      EXPECT_EQ(std::memcmp(y.data(), alone.data() + first * kOutputs, y.size() * sizeof(float)), 0)
          << "type " << static_cast<int>(type) << ", rows " << rows;
    }
  }
}

}  // namespace
}  // namespace plinth::engine
