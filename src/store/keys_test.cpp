#include <fstream>

#include "store/test_store.h"

namespace plinth::store {
namespace {

using KeysTest = StoreTest;

TEST_F(KeysTest, AKeyOpensUntilItIsRevoked) {
  ASSERT_TRUE(store_->create_tenant("law office"));
  const auto key = store_->create_key("law office", "laptop");
  ASSERT_TRUE(key) << key.error().message;
  const auto info = store_->check_key(key->secret);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->tenant, "law office");
  EXPECT_EQ(info->id, key->info.id);
  ASSERT_TRUE(store_->revoke_key(info->prefix));
  EXPECT_EQ(store_->check_key(key->secret).error().code, Code::kUnauthenticated);
  reopen();
  EXPECT_EQ(store_->check_key(key->secret).error().code, Code::kUnauthenticated);
  EXPECT_NE(store_->keys("law office")->at(0).revoked_ms, 0);
}

TEST_F(KeysTest, NothingButTheKeyOpens) {
  ASSERT_TRUE(store_->create_tenant("t"));
  const std::string secret = store_->create_key("t", "")->secret;
  EXPECT_FALSE(store_->check_key(""));
  EXPECT_FALSE(store_->check_key(secret.substr(0, 19)));
  EXPECT_FALSE(store_->check_key(secret + "0"));
  for (const size_t at : {size_t{0}, size_t{10}, size_t{25}, secret.size() - 1}) {
    std::string wrong = secret;
    wrong[at] = wrong[at] == '0' ? '1' : '0';
    EXPECT_FALSE(store_->check_key(wrong)) << "byte " << at << " does not matter";
  }
  EXPECT_FALSE(store_->check_key(secret.substr(0, 19) + "' OR 1=1 --" + std::string(54, 'x')));
}

TEST_F(KeysTest, TheSecretIsNowhereOnDisk) {
  if (on_postgres()) GTEST_SKIP() << "of SQLite's file";
  ASSERT_TRUE(store_->create_tenant("t"));
  const auto key = *store_->create_key("t", "label that is stored");
  const std::string hidden = key.secret.substr(key.info.prefix.size() + 1);
  bool label_found = false;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(home())) {
    if (!entry.is_regular_file()) continue;
    const std::string bytes = *read_file(entry.path());
    EXPECT_EQ(bytes.find(hidden), std::string::npos) << entry.path();
    label_found |= bytes.find("label that is stored") != std::string::npos;
  }
  EXPECT_TRUE(label_found) << "the search would not have found anything";
}

TEST_F(KeysTest, TwoTenantsCannotShareAName) {
  ASSERT_TRUE(store_->create_tenant("t"));
  EXPECT_EQ(store_->create_tenant("t").error().code, Code::kAlreadyExists);
  EXPECT_EQ(store_->create_tenant("").error().code, Code::kInvalidArgument);
  EXPECT_EQ(store_->create_key("nobody", "").error().code, Code::kNotFound);
  EXPECT_EQ(store_->revoke_key("plinth-000000000000").error().code, Code::kNotFound);
}

}  // namespace
}  // namespace plinth::store
