#include <algorithm>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "train/data/sample_order.h"
#include "train/data/window_order.h"

namespace plinth::train {
namespace {

TEST(WindowOrder, ReadsEachWindowOncePerEpochAndStaysInsideItsRange) {
  WindowOrder order({{"a", 0, 1000, 1.0}, {"b", 1000, 505, 1.0}}, 10, 3);
  for (int epoch = 0; epoch < 3; ++epoch) {
    std::set<int64_t> starts;
    for (int64_t i = 0; i < order.epoch_windows(); ++i)
      starts.insert(order.start(epoch * order.epoch_windows() + i));
    EXPECT_EQ(static_cast<int64_t>(starts.size()), order.epoch_windows());
    for (const int64_t start : starts) {
      const int64_t end = start + 11;  // ten rows and the last one's target
      EXPECT_TRUE((start >= 0 && end <= 1000) || (start >= 1000 && end <= 1505)) << start;
    }
  }
}

TEST(WindowOrder, IsAFunctionOfSeedAndCursor) {
  const std::vector<TokenRange> ranges = {{"a", 0, 5000, 1.0}};
  WindowOrder forward(ranges, 16, 7);
  WindowOrder random(ranges, 16, 7);
  std::vector<int64_t> starts;
  for (int64_t i = 0; i < 700; ++i) starts.push_back(forward.start(i));
  for (const int64_t i : {650, 3, 311, 312, 0, 699})
    EXPECT_EQ(random.start(i), starts[static_cast<size_t>(i)]);
  WindowOrder other(ranges, 16, 8);
  EXPECT_NE(other.start(0), starts[0]);
}

TEST(WindowOrder, ReadsARangeAsOftenAsItsWeightSays) {
  WindowOrder order({{"half", 0, 10001, 0.5}, {"thrice", 10001, 1001, 3.0}}, 10, 1);
  int64_t half = 0;
  for (int64_t i = 0; i < order.epoch_windows(); ++i) half += order.start(i) < 10001 ? 1 : 0;
  EXPECT_NEAR(static_cast<double>(half), 500, 2);
  EXPECT_NEAR(static_cast<double>(order.epoch_windows() - half), 300, 5);
}

TEST(WindowOrder, HasNoWindowWhereThereAreTooFewTokens) {
  EXPECT_EQ(WindowOrder({{"a", 0, 10, 1.0}}, 10, 1).epoch_windows(), 0);
  WindowOrder one({{"a", 5, 11, 1.0}}, 10, 1);
  EXPECT_EQ(one.epoch_windows(), 1);
  EXPECT_EQ(one.start(0), 5);
}

TEST(SampleOrder, BringsEveryDomainSampleOnceAndReplayInTurn) {
  const OrderShape shape{20, 7, 3};
  SampleOrder order(shape, 5);
  std::map<int64_t, int> seen;
  const int epochs = 7;  // three rounds of the replay samples
  for (int64_t i = 0; i < epochs * order.epoch_samples(); ++i) ++seen[order.at(i)];
  for (int64_t sample = 0; sample < 20; ++sample) EXPECT_EQ(seen[sample], epochs);
  for (int64_t sample = 20; sample < 27; ++sample) EXPECT_EQ(seen[sample], 3);
}

TEST(SampleOrder, IsAFunctionOfSeedAndCursor) {
  SampleOrder forward({20, 7, 3}, 5);
  SampleOrder random({20, 7, 3}, 5);
  std::vector<int64_t> all;
  for (int64_t i = 0; i < 100; ++i) all.push_back(forward.at(i));
  for (const int64_t i : {99, 0, 45, 46, 22}) EXPECT_EQ(random.at(i), all[static_cast<size_t>(i)]);
}

}  // namespace
}  // namespace plinth::train
