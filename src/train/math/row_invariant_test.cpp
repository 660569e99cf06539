#include "train/math/row_invariant.h"

#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "core/rng.h"
#include "tensor/cpu/amx.h"

namespace plinth::train {
namespace {

using tensor::ConstMatrix;
using tensor::DType;

std::vector<float> random_floats(int64_t n, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(static_cast<size_t>(n));
  for (float& value : values) value = static_cast<float>(rng.normal());
  return values;
}

// Depth and outputs: odd ones, and more depth than a pass of the tiles takes.
class RowInvariant : public testing::TestWithParam<std::tuple<DType, std::pair<int64_t, int64_t>>> {
 protected:
  static constexpr int64_t kRows = 1100;  // more than a pass of the tiles takes

  ~RowInvariant() override { tensor::cpu::amx_allowed = true; }

  // The product of all rows, and of some of them alone: the same bits.
  void expect_alike(void (*tensor::Ops::*product)(ConstMatrix, tensor::Weight, tensor::Matrix,
                                                  bool),
                    const tensor::Weight& w, int64_t depth, int64_t outputs) {
    const auto& ops = row_invariant_ops();
    const auto x = random_floats(kRows * depth, 1);
    for (const bool accumulate : {false, true}) {
      std::vector<float> all(static_cast<size_t>(kRows * outputs), 0.25f);
      (ops.*product)(tensor::matrix(x.data(), kRows, depth), w,
                     tensor::matrix(all.data(), kRows, outputs), accumulate);
      for (const int64_t rows : {1, 7, 31, 32, 33, 100, 600}) {
        for (const int64_t first : {int64_t{0}, kRows - rows}) {
          std::vector<float> some(static_cast<size_t>(rows * outputs), 0.25f);
          (ops.*product)(tensor::matrix(x.data() + first * depth, rows, depth), w,
                         tensor::matrix(some.data(), rows, outputs), accumulate);
          const std::vector<float> want(all.begin() + first * outputs,
                                        all.begin() + (first + rows) * outputs);
          EXPECT_EQ(some, want) << rows << " rows from " << first;
        }
      }
    }
  }
};

TEST_P(RowInvariant, ARowIsTheSameInAnyCompany) {
  const auto [type, shape] = GetParam();
  const auto [rows, cols] = shape;
  const auto floats = random_floats(rows * cols, 2);
  std::vector<std::byte> stored(tensor::row_bytes(type, cols) * static_cast<size_t>(rows));
  tensor::from_f32(floats.data(), rows * cols, type, stored.data());
  const tensor::Weight w = {stored.data(), type, rows, cols};
  for (const bool tiles : {false, true}) {
    tensor::cpu::amx_allowed = tiles;
    expect_alike(&tensor::Ops::linear, w, cols, rows);
    expect_alike(&tensor::Ops::linear_dx, w, rows, cols);
  }
}

INSTANTIATE_TEST_SUITE_P(All, RowInvariant,
                         testing::Combine(testing::Values(DType::kF32, DType::kF16, DType::kBF16,
                                                          DType::kQ8_0, DType::kQ4_K),
                                          testing::Values(std::pair<int64_t, int64_t>{45, 256},
                                                          std::pair<int64_t, int64_t>{9, 9216},
                                                          std::pair<int64_t, int64_t>{9001, 256})),
                         [](const auto& tested) {
                           const auto& shape = std::get<1>(tested.param);
                           return std::string(tensor::dtype_name(std::get<0>(tested.param))) + "_" +
                                  std::to_string(shape.first) + "x" + std::to_string(shape.second);
                         });

}  // namespace
}  // namespace plinth::train
