#include "store/test_store.h"

namespace plinth::store {
namespace {

using QuotasTest = StoreTest;

TEST_F(QuotasTest, AQuotaIsKeptAndNoneMeansNoLimits) {
  const auto tenant = *store_->create_tenant("a");
  EXPECT_EQ(*store_->quota(tenant.id), Quota());
  const Quota quota{.requests_per_minute = 5, .tokens_per_month = 1'000'000, .concurrent = 2};
  ASSERT_TRUE(store_->set_quota("a", quota));
  reopen();
  EXPECT_EQ(*store_->quota(tenant.id), quota);
  EXPECT_EQ(store_->set_quota("b", quota).error().code, Code::kNotFound);
  EXPECT_EQ(store_->set_quota("a", {.concurrent = -1}).error().code, Code::kInvalidArgument);
}

TEST_F(QuotasTest, AStatementPricesPromptCachedAndAnswerTokens) {
  const auto tenant = *store_->create_tenant("a");
  const auto key = store_->create_key("a", "")->info;
  const auto row = [&](const std::string& id, const std::string& model) {
    return UsageRow{.request_id = id,
                    .tenant_id = tenant.id,
                    .key_id = key.id,
                    .model = model,
                    .prompt_tokens = 1000,
                    .completion_tokens = 100,
                    .cached_tokens = 400,
                    .core_us = 1'500'000,
                    .outcome = "stop"};
  };
  ASSERT_TRUE(store_->add_usage({row("1", "law"), row("2", "law"), row("3", "other")}));
  ASSERT_TRUE(store_->set_price(
      {.model = "law", .prompt = 2'000'000, .cached = 500'000, .completion = 8'000'000}));
  ASSERT_TRUE(store_->set_price({.model = "*", .completion = 1'000'000}));
  EXPECT_FALSE(store_->set_price({.model = "law", .prompt = -1}));
  const auto statement = store_->statement({.tenant = "a"});
  ASSERT_TRUE(statement);
  ASSERT_EQ(statement->size(), 2u);
  // 1,200 at 2.0, 800 at 0.5 and 200 at 8.0, each per million.
  EXPECT_EQ(statement->at(0).cost, 1200 * 2 + 400 + 200 * 8);
  EXPECT_EQ(statement->at(1).cost, 100);
  EXPECT_EQ(statement->at(0).total.core_us, 3'000'000);
  // A tuning job: nothing but what it read.
  ASSERT_TRUE(store_->add_usage({{.request_id = "job",
                                  .tenant_id = tenant.id,
                                  .key_id = key.id,
                                  .model = "tuned",
                                  .trained_tokens = 5000,
                                  .outcome = "trained"}}));
  ASSERT_TRUE(store_->set_price({.model = "tuned", .trained = 3'000'000}));
  EXPECT_EQ(store_->statement({.tenant = "a"})->at(2).cost, 15'000);
  EXPECT_EQ(store_->statement({.tenant = "a"})->at(2).total.trained_tokens, 5000);
  using Used = std::pair<int64_t, int64_t>;
  EXPECT_EQ(*store_->used_between(tenant.id, 0, clock_.now_ms + 1), Used(4, 3300));
  EXPECT_EQ(*store_->used_between(tenant.id, clock_.now_ms + 1, INT64_MAX), Used(0, 0));
  EXPECT_EQ(*store_->used_between(tenant.id, 0, clock_.now_ms), Used(0, 0));
}

TEST_F(QuotasTest, AScopedKeyExpires) {
  ASSERT_TRUE(store_->create_tenant("a"));
  const KeyScope scope{.role = "viewer",
                       .models = {"law"},
                       .actions = {"usage"},
                       .expires_ms = clock_.now_ms + 1000};
  const auto key = *store_->create_key("a", "x", scope);
  const auto known = store_->check_key(key.secret);
  ASSERT_TRUE(known);
  EXPECT_EQ(known->scope.role, "viewer");
  EXPECT_EQ(known->scope.models, scope.models);
  EXPECT_EQ(known->scope.actions, scope.actions);
  EXPECT_TRUE(store_->valid_key(key.info.id));
  clock_.now_ms += 1000;
  EXPECT_EQ(store_->check_key(key.secret).error().code, Code::kUnauthenticated);
  EXPECT_FALSE(store_->valid_key(key.info.id));
  EXPECT_EQ(store_->keys("a")->at(0).scope.expires_ms, scope.expires_ms);
}

}  // namespace
}  // namespace plinth::store
