// For tests of the adapter formats.
#pragma once

#include <vector>

#include <gtest/gtest.h>

#include "model/model.h"

namespace plinth::model {

inline std::vector<float> values(const tensor::Weight& weight) {
  std::vector<float> floats(static_cast<size_t>(weight.rows * weight.cols));
  tensor::to_f32(weight.data, weight.type, weight.rows * weight.cols, floats.data());
  return floats;
}

inline void expect_equal(const Adapter& a, const Adapter& b) {
  ASSERT_EQ(a.layers.size(), b.layers.size());
  for (size_t layer = 0; layer < a.layers.size(); ++layer) {
    for (size_t i = 0; i < kLinears; ++i) {
      const auto& left = a.layers[layer][i];
      const auto& right = b.layers[layer][i];
      ASSERT_EQ(left.rank, right.rank) << layer << " " << i;
      if (left.empty()) continue;
      EXPECT_NEAR(left.scale, right.scale, 1e-6) << layer << " " << i;
      EXPECT_EQ(values(left.a), values(right.a)) << layer << " " << i;
      EXPECT_EQ(values(left.b), values(right.b)) << layer << " " << i;
    }
  }
}

}  // namespace plinth::model
