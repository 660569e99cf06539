#include "store/audit.h"

#include "server/test_server.h"

namespace plinth::server {
namespace {

TEST_F(ServerTest, TheAuditLogHasWhatWasChangedAndWhatWasRefused) {
  const std::string operator_key = new_key("plant", {.role = "operator"});
  EXPECT_EQ(send("POST", "/plinth/v1/tenants", operator_key, R"({"name":"t"})").status, 200);
  EXPECT_EQ(send("GET", "/plinth/v1/tenants", operator_key).status, 200);
  EXPECT_EQ(send("POST", "/plinth/v1/tenants", key_, R"({"name":"u"})").status, 403);
  EXPECT_EQ(post(chat("合同")).status, 200);
  const Reply reply = send("GET", "/plinth/v1/audit", operator_key);
  ASSERT_EQ(reply.status, 200) << reply.body;
  const Json log = parse_json(reply.body, "audit").value();
  EXPECT_EQ(log["whole"], true);
  ASSERT_EQ(log["data"].size(), 2u) << reply.body;
  const Json& refused = log["data"][0];
  EXPECT_EQ(refused["status"], 403);
  EXPECT_EQ(refused["tenant"], "a");
  const Json& done = log["data"][1];
  EXPECT_EQ(done["action"], "POST /plinth/v1/tenants");
  EXPECT_EQ(done["detail"], R"({"name":"t"})");
  EXPECT_EQ(done["status"], 200);
  EXPECT_TRUE(operator_key.starts_with(done["actor"].get<std::string>()));
}

TEST_F(ServerTest, TheAuditLogHasNoSecrets) {
  const std::string owner = new_key("a", {.role = "owner"});
  const Reply made = send("POST", "/plinth/v1/keys", owner, R"({"label":"new"})");
  ASSERT_EQ(made.status, 200);
  const std::string secret = parse_json(made.body, "key").value()["key"];
  const auto audit = *store::AuditLog::open(store_->home());
  const auto entries = *audit->entries(10);
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].detail.find(secret), std::string::npos);
  EXPECT_EQ(entries[0].detail, R"({"label":"new"})");
}

}  // namespace
}  // namespace plinth::server
