#include <thread>

#include "store/database.h"
#include "store/test_store.h"

namespace plinth::store {
namespace {

class LedgerTest : public StoreTest {
 protected:
  LedgerTest() {
    for (const char* name : {"a", "b"}) {
      EXPECT_TRUE(store_->create_tenant(name));
      keys_.push_back(store_->create_key(name, "")->info);
    }
  }

  UsageRow row(int tenant, std::string id, int64_t prompt, int64_t completion) const {
    const KeyInfo& key = keys_[static_cast<size_t>(tenant)];
    return {.request_id = std::move(id),
            .tenant_id = key.tenant_id,
            .key_id = key.id,
            .model = "law",
            .model_digest = "d",
            .prompt_tokens = prompt,
            .completion_tokens = completion,
            .cached_tokens = prompt / 2,
            .outcome = "stop"};
  }

  std::vector<UsageTotal> totals(const UsageQuery& query = {}) const {
    auto found = store_->usage(query);
    EXPECT_TRUE(found);
    return found ? *std::move(found) : std::vector<UsageTotal>();
  }

  std::vector<KeyInfo> keys_;
};

TEST_F(LedgerTest, AddsUpByTenantAndTime) {
  ASSERT_TRUE(store_->add_usage({row(0, "1", 10, 5), row(1, "2", 100, 50)}));
  const int64_t later = clock_.now_ms += 1000;
  ASSERT_TRUE(store_->add_usage({row(0, "3", 20, 7)}));
  const auto all = totals();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].tenant, "a");
  EXPECT_EQ(all[0].requests, 2);
  EXPECT_EQ(all[0].prompt_tokens, 30);
  EXPECT_EQ(all[0].completion_tokens, 12);
  EXPECT_EQ(all[0].cached_tokens, 15);
  const auto recent = totals({.tenant = "a", .from_ms = later});
  ASSERT_EQ(recent.size(), 1u);
  EXPECT_EQ(recent[0].prompt_tokens, 20);
  EXPECT_TRUE(totals({.until_ms = 1}).empty());
}

TEST_F(LedgerTest, ARowThatComesTwiceCountsOnce) {
  ASSERT_TRUE(store_->add_usage({row(0, "1", 10, 5)}));
  ASSERT_TRUE(store_->add_usage({row(0, "1", 10, 5), row(0, "2", 1, 1)}));
  EXPECT_EQ(totals().at(0).prompt_tokens, 11);
}

TEST_F(LedgerTest, ABatchIsAllOrNothing) {
  UsageRow stranger = row(0, "2", 1, 1);
  stranger.tenant_id = 77;
  EXPECT_FALSE(store_->add_usage({row(0, "1", 10, 5), stranger}));
  EXPECT_FALSE(store_->add_usage({row(0, "3", 10, 5), row(0, "4", -1, 0)}));
  EXPECT_TRUE(totals().empty());
}

TEST_F(LedgerTest, RowsCannotBeChangedOrRemoved) {
  ASSERT_TRUE(store_->add_usage({row(0, "1", 10, 5)}));
  auto db = *open_database(home());
  EXPECT_FALSE(db->script("UPDATE usage SET prompt_tokens = 0"));
  EXPECT_FALSE(db->script("DELETE FROM usage"));
  EXPECT_EQ(totals().at(0).prompt_tokens, 10);
}

TEST_F(LedgerTest, AddsUpFromManyThreads) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([this, t] {
      for (int i = 0; i < 25; ++i)
        EXPECT_TRUE(store_->add_usage({row(t % 2, fmt::format("{}-{}", t, i), 2, 1)}));
    });
  for (auto& thread : threads) thread.join();
  reopen();
  for (const UsageTotal& total : totals()) {
    EXPECT_EQ(total.requests, 50);
    EXPECT_EQ(total.prompt_tokens, 100);
  }
}

}  // namespace
}  // namespace plinth::store
