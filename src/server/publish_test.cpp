#include "server/publish.h"

#include <gtest/gtest.h>

#include "core/hash.h"

namespace plinth::server {
namespace {

class PublishTest : public ::testing::Test {
 protected:
  PublishTest() : temp_(*TempDirectory::create()), store_(*store::Store::open(temp_.path())) {}

  TempDirectory temp_;
  std::unique_ptr<store::Store> store_;
};

TEST_F(PublishTest, AFailedVerdictIsRefusedWithItsReasonsAndStoresNothing) {
  const auto index =
      knowledge::Index::build(std::vector<knowledge::Document>{{.id = "a", .text = "x"}});
  PublishRequest request{.name = "law", .knowledge = &*index};
  request.verdict = R"({"passed": false, "reasons": [
      {"passed": false, "text": "domain gain 0.01"}, {"passed": true, "text": "fine"},
      {"passed": false, "text": "general loss 0.2"}]})";
  const auto refused = publish(*store_, request);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  EXPECT_NE(refused.error().message.find("domain gain 0.01; general loss 0.2"), std::string::npos);
  EXPECT_TRUE(store_->releases()->empty());
  EXPECT_FALSE(store_->artifacts().find(sha256_hex(index->bytes())));
}

TEST_F(PublishTest, OnlyAPlainYesPasses) {
  for (const char* verdict : {"", "{}", "[]", R"({"passed": 1})", R"({"passed": "true"})", "true"})
    EXPECT_FALSE(publish(*store_, {.name = "law", .verdict = verdict})) << verdict;
  EXPECT_TRUE(store_->releases()->empty());
}

TEST_F(PublishTest, AReleaseCarriesItsKnowledgeAndVerdict) {
  const auto index =
      knowledge::Index::build(std::vector<knowledge::Document>{{.id = "a", .text = "x"}});
  const auto release = publish(*store_, {.name = "law",
                                         .base_digest = "b",
                                         .system_prompt = "你是律师",
                                         .knowledge = &*index,
                                         .knowledge_in_prompt = true,
                                         .verdict = R"({"passed": true})"});
  ASSERT_TRUE(release) << release.error().message;
  EXPECT_EQ(*store_->artifacts().read(release->knowledge_digest), index->bytes());
  EXPECT_TRUE(release->knowledge_in_prompt);
  EXPECT_EQ(release->verdict, R"({"passed":true})");
}

}  // namespace
}  // namespace plinth::server
