#include "store/audit.h"

#include "store/sqlite.h"
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
    auto db = Database::open(home() / "plinth.db", 1000);
    ASSERT_TRUE(db);
    ASSERT_TRUE(db->script("DROP TRIGGER audit_keeps_rows; DROP TRIGGER audit_keeps_values"));
    ASSERT_TRUE(db->script(sql));
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

TEST_F(AuditTest, RowsCannotBeChangedInPassing) {
  auto db = *Database::open(home() / "plinth.db", 1000);
  EXPECT_FALSE(db.script("UPDATE audit SET actor = 'nobody'"));
  EXPECT_FALSE(db.script("DELETE FROM audit"));
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
