#include "tensor/quant/panels.h"

#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/rng.h"

namespace plinth::tensor {
namespace {

class PanelsTest : public testing::TestWithParam<DTypeTraits> {};

TEST_P(PanelsTest, GiveBackEveryRow) {
  Rng rng(3);
  const DType type = GetParam().type;
  for (const int64_t blocks : {1, 3, 8, 13, 300}) {
    const int64_t cols = blocks * GetParam().block;
    const size_t stride = row_bytes(type, cols);
    for (const int64_t rows : {1, 16, 37}) {
      std::vector<uint8_t> bytes(stride * static_cast<size_t>(rows));
      for (auto& byte : bytes) byte = static_cast<uint8_t>(rng.below(256));
      for (const int height : {4, 8, 16}) {
        std::vector<std::byte> memory(interleaved_bytes(type, rows, cols, height), std::byte{1});
        const Weight weight = interleave({bytes.data(), type, rows, cols}, height, memory.data());
        EXPECT_EQ(weight.panel, height);
        std::vector<uint8_t> scratch;
        for (int64_t r = 0; r < rows; ++r)
          ASSERT_EQ(std::memcmp(weight.row(r, scratch),
                                bytes.data() + static_cast<size_t>(r) * stride, stride),
                    0)
              << rows << " rows of " << cols << ", panels of " << height << ", row " << r;
        // Rows that are not there are zero.
        const Weight padded = {weight.data, type, (rows + height - 1) / height * height, cols,
                               height};
        for (int64_t r = rows; r < padded.rows; ++r) {
          const uint8_t* row = padded.row(r, scratch);
          EXPECT_EQ(std::vector<uint8_t>(row, row + stride), std::vector<uint8_t>(stride)) << r;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, PanelsTest, testing::ValuesIn(kDTypes),
                         [](const auto& of) { return std::string(of.param.name); });

}  // namespace
}  // namespace plinth::tensor
