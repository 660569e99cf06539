// What only a database on the other side of a socket can do to the store. Needs
// tests/with_postgres.
#include <cstdlib>

#include "store/audit.h"
#include "store/jobs.h"
#include "store/test_store.h"

namespace plinth::store {
namespace {

class PostgresTest : public StoreTest {
 protected:
  void SetUp() override {
    if (!on_postgres()) GTEST_SKIP() << "no PostgreSQL: run it through tests/with_postgres";
  }

  // "start", "stop" or "kill".
  static void server(const std::string& what) {
    const std::string command = std::string(std::getenv("PLINTH_TEST_POSTGRES_CTL")) + " " + what;
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }
};

TEST_F(PostgresTest, ARestartInBetweenIsNotNoticed) {
  ASSERT_TRUE(store_->create_tenant("a"));
  server("stop");
  server("start");
  EXPECT_TRUE(store_->tenant("a"));
  EXPECT_TRUE(store_->create_key("a", ""));
}

TEST_F(PostgresTest, WhileItIsAwayCallsAreUnavailableAndAfterwardsTheyWork) {
  const auto jobs = *Jobs::open(home(), clock_);
  const auto log = *AuditLog::open(home(), clock_);
  ASSERT_TRUE(store_->create_tenant("a"));
  const auto key = *store_->create_key("a", "");
  ASSERT_TRUE(log->append({.action = "first"}));
  server("kill");
  EXPECT_EQ(store_->check_key(key.secret).error().code, Code::kUnavailable);
  EXPECT_EQ(store_->add_usage({{.request_id = "1", .tenant_id = 1, .key_id = 1}}).error().code,
            Code::kUnavailable);
  EXPECT_EQ(jobs->unfinished().error().code, Code::kUnavailable);
  EXPECT_EQ(log->append({.action = "lost"}).error().code, Code::kUnavailable);
  EXPECT_EQ(Store::open(home()).error().code, Code::kUnavailable);
  server("start");
  Result<KeyInfo> found = store_->check_key(key.secret);
  for (int i = 0; i < 100 && !found; ++i) {  // it pauses between attempts
    std::system("sleep 0.05");
    found = store_->check_key(key.secret);
  }
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_TRUE(jobs->unfinished());
  ASSERT_TRUE(log->append({.action = "second"}));
  EXPECT_EQ(log->verify()->entries, 2);
}

TEST_F(PostgresTest, TextsThatItCannotKeepAreRefusedWhole) {
  EXPECT_EQ(store_->create_tenant(std::string("a\0b", 3)).error().code, Code::kInvalidArgument);
  EXPECT_EQ(store_->create_tenant("\xff").error().code, Code::kInvalidArgument);
  EXPECT_TRUE(store_->tenants()->empty());
  EXPECT_TRUE(store_->create_tenant("what? it's 机构 $1"));
  EXPECT_EQ(store_->tenants()->at(0).name, "what? it's 机构 $1");
}

TEST(PostgresAddress, IsNotRepeatedInErrors) {
  const auto opened = open_postgres("postgresql://me:hunter2@[::1/x");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kInvalidArgument);
  EXPECT_EQ(opened.error().message.find("hunter2"), std::string::npos);
  const auto away = open_postgres("postgresql://me:hunter2@127.0.0.1:1/x");
  ASSERT_FALSE(away);
  EXPECT_EQ(away.error().code, Code::kUnavailable);
  EXPECT_EQ(away.error().message.find("hunter2"), std::string::npos) << away.error().message;
}

}  // namespace
}  // namespace plinth::store
