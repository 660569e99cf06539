#include "server/quotas.h"

#include <gtest/gtest.h>

#include "store/test_store.h"

namespace plinth::server {
namespace {

class QuotasTest : public store::StoreTest {
 protected:
  QuotasTest() : quotas_(*store_, clock_) { tenant_ = store_->create_tenant("a")->id; }

  Quotas::Decision admit() { return quotas_.admit(tenant_).value(); }

  static std::string header(const Quotas::Decision& decision, std::string_view name) {
    for (const auto& [key, value] : decision.headers)
      if (key == name) return value;
    return "";
  }

  Quotas quotas_;
  int64_t tenant_ = 0;
};

TEST_F(QuotasTest, WithoutAQuotaEverythingIsLetInAndNothingIsSaid) {
  for (int i = 0; i < 100; ++i) {
    const auto decision = admit();
    EXPECT_TRUE(decision.admission);
    EXPECT_TRUE(decision.headers.empty());
  }
}

TEST_F(QuotasTest, RequestsAMinuteComeBackEvenly) {
  ASSERT_TRUE(store_->set_quota("a", {.requests_per_minute = 3}));
  EXPECT_EQ(header(admit(), "x-ratelimit-remaining-requests"), "2");
  EXPECT_TRUE(admit().admission);
  EXPECT_TRUE(admit().admission);
  const auto refused = admit();
  EXPECT_FALSE(refused.admission);
  EXPECT_EQ(refused.refusal, "3 requests a minute");
  EXPECT_EQ(header(refused, "retry-after"), "20");
  EXPECT_EQ(header(refused, "x-ratelimit-limit-requests"), "3");
  EXPECT_EQ(header(refused, "x-ratelimit-reset-requests"), "1m0s");
  clock_.now_ms += 20'000;
  EXPECT_TRUE(admit().admission);
  EXPECT_FALSE(admit().admission);
}

TEST_F(QuotasTest, TokensAreOwedUntilTheyHaveComeBack) {
  ASSERT_TRUE(store_->set_quota("a", {.tokens_per_minute = 600}));
  admit().admission->take_tokens(1200);
  const auto refused = admit();
  EXPECT_FALSE(refused.admission);
  EXPECT_EQ(header(refused, "x-ratelimit-remaining-tokens"), "0");
  clock_.now_ms += 59'000;
  EXPECT_FALSE(admit().admission);
  clock_.now_ms += 2'000;
  EXPECT_TRUE(admit().admission);
}

TEST_F(QuotasTest, ARunningRequestCountsUntilItIsGone) {
  ASSERT_TRUE(store_->set_quota("a", {.concurrent = 1}));
  auto first = admit().admission;
  ASSERT_TRUE(first);
  EXPECT_FALSE(admit().admission);
  first.reset();
  EXPECT_TRUE(admit().admission);
}

TEST_F(QuotasTest, TheMonthIsWhatTheLedgerSays) {
  ASSERT_TRUE(store_->set_quota("a", {.tokens_per_month = 100}));
  const auto key = store_->create_key("a", "")->info;
  ASSERT_TRUE(store_->add_usage({{.request_id = "r",
                                  .tenant_id = tenant_,
                                  .key_id = key.id,
                                  .prompt_tokens = 100,
                                  .outcome = "stop"}}));
  const auto refused = admit();
  EXPECT_FALSE(refused.admission);
  EXPECT_TRUE(refused.for_long);
  EXPECT_EQ(header(refused, "x-should-retry"), "false");
  constexpr int64_t kMonthMs = int64_t{32} * 24 * 3600 * 1000;
  clock_.now_ms += kMonthMs;
  EXPECT_TRUE(admit().admission);
  // What a clock that was ahead has dated is that month's, in the statement as well.
  ASSERT_TRUE(store_->add_usage({{.request_id = "ahead",
                                  .tenant_id = tenant_,
                                  .key_id = key.id,
                                  .prompt_tokens = 100,
                                  .outcome = "stop",
                                  .at_ms = clock_.now_ms + kMonthMs}}));
  clock_.now_ms += 10'000;  // until it is looked up anew
  EXPECT_TRUE(admit().admission);
  clock_.now_ms += kMonthMs;
  EXPECT_FALSE(admit().admission);
}

TEST(Months, BeginAtTheirFirstMoment) {
  EXPECT_EQ(month_of("2026-11")->first, 1'793'491'200'000);
  EXPECT_EQ(month_of("2026-12")->second, month_of("2027-01")->first);
  EXPECT_EQ(month_around(1'793'491'200'000 + 5), *month_of("2026-11"));
  for (const char* wrong : {"", "2026", "2026-13", "2026-00", "2026/11", "x026-11"})
    EXPECT_FALSE(month_of(wrong)) << wrong;
}

}  // namespace
}  // namespace plinth::server
