#include "store/audit.h"

#include <thread>

#include "store/database.h"
#include "store/test_store.h"

namespace plinth::store {
namespace {

class AuditTest : public StoreTest {
 protected:
  AuditTest() {
    for (const char* action : {"first", "second", "third"})
      EXPECT_TRUE(log_->append({.actor = "plinth-1", .action = action, .status = 200}));
  }

  // What somebody with the file and without the program could do.
  void tamper(const char* sql) {
    auto db = open_database(home());
    ASSERT_TRUE(db);
    for (const std::string trigger : {"audit_keeps_rows", "audit_keeps_values"})
      ASSERT_TRUE((*db)->script("DROP TRIGGER " + trigger + (on_postgres() ? " ON audit" : "")));
    ASSERT_TRUE((*db)->script(sql));
  }

  std::unique_ptr<AuditLog> log_ = *AuditLog::open(home(), clock_);
};

TEST_F(AuditTest, IsOneChainWhoeverWrites) {
  auto other = *AuditLog::open(home(), clock_);
  ASSERT_TRUE(other->append({.actor = "command line: x", .action = "fourth"}));
  const auto check = *log_->verify();
  EXPECT_EQ(check.entries, 4);
  EXPECT_EQ(check.broken_at, 0);
  const auto newest = *log_->entries(2);
  ASSERT_EQ(newest.size(), 2u);
  EXPECT_EQ(newest[0].action, "fourth");
  EXPECT_EQ(newest[0].hash, check.last_hash);
}

TEST_F(AuditTest, StaysOneChainUnderWritersAtOnce) {
  std::vector<std::thread> writers;
  for (int i = 0; i < 4; ++i)
    writers.emplace_back([this] {
      const auto mine = *AuditLog::open(home(), clock_);
      for (int n = 0; n < 10; ++n) EXPECT_TRUE(mine->append({.action = "at once"}));
    });
  for (auto& writer : writers) writer.join();
  const auto check = *log_->verify();
  EXPECT_EQ(check.entries, 43);
  EXPECT_EQ(check.broken_at, 0);
}

TEST_F(AuditTest, RowsCannotBeChangedInPassing) {
  auto db = *open_database(home());
  EXPECT_EQ(db->script("UPDATE audit SET actor = 'nobody'").error().code,
            Code::kFailedPrecondition);
  EXPECT_FALSE(db->script("DELETE FROM audit"));
}

TEST_F(AuditTest, AChangedEntryIsFound) {
  tamper("UPDATE audit SET action = 'other' WHERE id = 2");
  EXPECT_EQ(log_->verify()->broken_at, 2);
}

TEST_F(AuditTest, AMissingEntryIsFound) {
  tamper("DELETE FROM audit WHERE id = 2");
  EXPECT_EQ(log_->verify()->broken_at, 3);
}

}  // namespace
}  // namespace plinth::store
