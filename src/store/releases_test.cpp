#include <atomic>
#include <fstream>
#include <thread>

#include "core/hash.h"
#include "store/database.h"
#include "store/test_store.h"

namespace plinth::store {
namespace {

using ReleasesTest = StoreTest;

Release law(std::string prompt) {
  return {.name = "law",
          .base_digest = "base",
          .system_prompt = std::move(prompt),
          .verdict = R"({"passed": true})"};
}

TEST_F(ReleasesTest, AReleaseIsNamedByTheDigestOfItsCanonicalJson) {
  const auto release = store_->publish(law("one"));
  ASSERT_TRUE(release) << release.error().message;
  EXPECT_EQ(release->digest, sha256_hex(canonical_release(law("one"))));
  EXPECT_EQ(store_->release(release->digest)->system_prompt, "one");
  EXPECT_EQ(store_->alias("law")->release_digest, release->digest);
}

TEST_F(ReleasesTest, TheSpellingOfTheVerdictDoesNotMatter) {
  Release spaced = law("one");
  spaced.verdict = "{\n  \"passed\":   true}";
  EXPECT_EQ(canonical_release(spaced), canonical_release(law("one")));
}

TEST_F(ReleasesTest, PublishingWhatIsLiveChangesNothing) {
  ASSERT_TRUE(store_->publish(law("one")));
  ASSERT_TRUE(store_->publish(law("one")));
  EXPECT_EQ(store_->releases("law")->size(), 1u);
  EXPECT_EQ(store_->history("law")->size(), 1u);
}

TEST_F(ReleasesTest, RollbackGoesBackStepByStepAndHistoryKeepsAll) {
  const std::string one = store_->publish(law("one"))->digest;
  const std::string two = store_->publish(law("two"))->digest;
  const std::string three = store_->publish(law("three"))->digest;
  EXPECT_EQ(store_->rollback("law")->digest, two);
  EXPECT_EQ(store_->rollback("law")->digest, one);
  EXPECT_EQ(store_->rollback("law").error().code, Code::kFailedPrecondition);
  EXPECT_EQ(store_->alias("law")->release_digest, one);
  EXPECT_EQ(store_->publish(law("three"))->digest, three);
  EXPECT_EQ(store_->rollback("law")->digest, one);
  const auto history = *store_->history("law");
  ASSERT_EQ(history.size(), 7u);
  EXPECT_EQ(history[3].kind, "rollback");
  EXPECT_EQ(store_->rollback("medicine").error().code, Code::kNotFound);
}

TEST_F(ReleasesTest, AnUnknownAdapterOrABrokenVerdictPublishesNothing) {
  Release release = law("one");
  release.adapter_digest = std::string(64, 'a');
  EXPECT_EQ(store_->publish(release).error().code, Code::kNotFound);
  release = law("one");
  release.verdict = "{passed";
  EXPECT_EQ(store_->publish(release).error().code, Code::kInvalidArgument);
  EXPECT_TRUE(store_->aliases()->empty());
  EXPECT_TRUE(store_->releases()->empty());
}

TEST_F(ReleasesTest, ATamperedReleaseIsDataLoss) {
  const std::string digest = store_->publish(law("one"))->digest;
  auto db = *open_database(home());
  ASSERT_TRUE(db->script("UPDATE releases SET document = replace(document, 'one', 'two')"));
  EXPECT_EQ(store_->release(digest).error().code, Code::kDataLoss);
  EXPECT_EQ(store_->releases().error().code, Code::kDataLoss);
}

TEST_F(ReleasesTest, ReadersSeeTheOldReleaseOrTheNewOne) {
  const std::string one = store_->publish(law("one"))->digest;
  const std::string two = store_->publish(law("two"))->digest;
  auto reader = *Store::open(home());
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0;
  std::atomic<int> seen = 0;
  std::thread thread([&] {
    while (!stop) {
      const auto alias = reader->alias("law");
      if (!alias || (alias->release_digest != one && alias->release_digest != two)) ++wrong;
      ++seen;
    }
  });
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(store_->rollback("law"));
    ASSERT_TRUE(store_->publish(law("two")));
  }
  while (seen == 0) std::this_thread::yield();
  stop = true;
  thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace plinth::store
