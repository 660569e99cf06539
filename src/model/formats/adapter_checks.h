// For tests of the adapter formats.
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "model/model.h"

namespace plinth::model {

inline std::vector<float> values(const tensor::Weight& weight) {
  std::vector<float> floats(static_cast<size_t>(weight.rows * weight.cols));
  tensor::to_f32(weight.data, weight.type, weight.rows * weight.cols, floats.data());
  return floats;
}

inline void expect_equal(const LowRank& a, const LowRank& b, const std::string& what) {
  ASSERT_EQ(a.rank, b.rank) << what;
  if (a.empty()) return;
  EXPECT_NEAR(a.scale, b.scale, 1e-6) << what;
  EXPECT_EQ(values(a.a), values(b.a)) << what;
  EXPECT_EQ(values(a.b), values(b.b)) << what;
}

inline void expect_equal(const Adapter& a, const Adapter& b) {
  ASSERT_EQ(a.layers.size(), b.layers.size());
  expect_equal(a.embedding, b.embedding, "embedding");
  expect_equal(a.head, b.head, "head");
  for (size_t layer = 0; layer < a.layers.size(); ++layer) {
    for (size_t i = 0; i < kLinears; ++i)
      expect_equal(a.layers[layer][i], b.layers[layer][i], fmt::format("{} {}", layer, i));
  }
}

}  // namespace plinth::model
