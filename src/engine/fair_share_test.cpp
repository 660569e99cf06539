#include "engine/fair_share.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/guest_rows.h"

namespace plinth::engine {
namespace {

const std::string kFlood = "flood";
const std::string kChat = "chat";

TEST(FairShare, TheLeastServedGoesFirstAndWhatIsPromisedCounts) {
  FairShare share;
  share.set_active({&kFlood, &kChat});
  share.charge(kFlood, 3000, 0);
  const std::vector<FairShare::Waiting> queue = {
      {&kFlood, 0, 4000}, {&kFlood, 0, 4000}, {&kChat, 0, 2000}, {&kChat, 0, 2000}};
  // 0 against 3000, 2000 against 3000, 4000 against 3000.
  EXPECT_THAT(share.order(queue, 4), testing::ElementsAre(2, 3, 0, 1));
  EXPECT_THAT(share.order(queue, 1), testing::ElementsAre(2));
}

TEST(FairShare, OneTenantsWorkKeepsItsOrderButForItsOwnPriorities) {
  const FairShare share;
  const std::vector<FairShare::Waiting> queue = {
      {&kChat, 0, 10}, {&kChat, 5, 10}, {&kChat, -1, 10}, {&kChat, 0, 10}};
  EXPECT_THAT(share.order(queue, 4), testing::ElementsAre(2, 0, 3, 1));
}

TEST(FairShare, APauseSavesNothingUpButACredit) {
  FairShare share;
  share.set_active({&kFlood});
  share.charge(kFlood, 100'000, 0);
  share.set_active({&kFlood, &kChat});
  EXPECT_EQ(share.served(kChat), 100'000 - FairShare::kCredit);
  EXPECT_TRUE(share.ahead_of(kFlood, {&kChat}));
  EXPECT_FALSE(share.ahead_of(kChat, {&kFlood}));
  EXPECT_FALSE(share.ahead_of(kFlood, {&kFlood}));
  // One that was served as much is nobody's guest.
  share.charge(kChat, 2000, 0);
  EXPECT_FALSE(share.ahead_of(kFlood, {&kChat}));
  share.set_active({&kFlood});
  share.charge(kFlood, 100'000, 0);
  share.set_active({&kFlood, &kChat});
  EXPECT_EQ(share.served(kChat), 200'000 - FairShare::kCredit);
}

TEST(FairShare, BacklogsShareHalfAndHalf) {
  FairShare share;
  std::map<std::string, int64_t> got;
  for (int step = 0; step < 1000; ++step) {
    share.set_active({&kFlood, &kChat});
    const std::vector<FairShare::Waiting> queue = {{&kFlood, 0, 4000}, {&kChat, 0, 100}};
    const auto first = queue[share.order(queue, 1)[0]];
    share.charge(*first.tenant, first.tokens, 0);
    got[*first.tenant] += first.tokens;
  }
  EXPECT_NEAR(static_cast<double>(got[kFlood]), static_cast<double>(got[kChat]), 4000);
}

// A machine on which a step takes 30 ms, and 6 ms more for each row beyond the fourth.
double step_s(int64_t guests) {
  return 0.030 + 0.006 * static_cast<double>(std::max<int64_t>(0, guests - 4));
}

TEST(GuestRows, FindsWhatCostsLittle) {
  GuestRows rows;
  int64_t steps = 0, guests = 0, too_long = 0;
  for (int i = 0; i < 2000; ++i) {
    const int64_t n = rows.next();
    rows.took(step_s(n), n);
    if (i < 100) continue;
    ++steps;
    guests += n;
    too_long += step_s(n) > 1.5 * step_s(0) ? 1 : 0;
  }
  EXPECT_EQ(too_long, 0);
  EXPECT_GE(guests, 4 * steps);
}

TEST(GuestRows, FollowsAMachineThatSlowsDown) {
  GuestRows rows;
  for (int i = 0; i < 500; ++i) {
    const int64_t n = rows.next();
    rows.took(step_s(n), n);
  }
  for (int i = 0; i < 500; ++i) {
    const int64_t n = rows.next();
    rows.took(3 * step_s(n), n);
  }
  const int64_t n = std::max(rows.next(), rows.next());
  EXPECT_GE(n, 3);
  EXPECT_LE(n, 7);
}

}  // namespace
}  // namespace plinth::engine
