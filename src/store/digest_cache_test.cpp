#include "store/digest_cache.h"

#include <gtest/gtest.h>

#include "core/hash.h"

namespace plinth::store {
namespace {

class DigestCacheTest : public testing::Test {
 protected:
  DigestCacheTest() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    EXPECT_TRUE(write_file_atomic(file_, "weights"));
  }

  const Path folder_ = Path(testing::TempDir()) / "digest_cache";
  const Path file_ = folder_ / "base.gguf";
  const DigestCache cache_{folder_ / "digests"};
  const std::string digest_ = sha256_hex("weights");
};

TEST_F(DigestCacheTest, RemembersAFileUntilItChanges) {
  const auto stamp = file_stamp(file_);
  EXPECT_FALSE(cache_.find(file_, stamp));
  cache_.put(file_, stamp, digest_);
  EXPECT_EQ(cache_.find(file_, file_stamp(file_)), digest_);
  EXPECT_EQ(cache_.find(folder_ / "." / "base.gguf", stamp), digest_);

  // The same size, other bytes.
  ASSERT_TRUE(write_file_atomic(file_, "WEIGHTS"));
  EXPECT_FALSE(cache_.find(file_, file_stamp(file_)));
}

TEST_F(DigestCacheTest, AFolderChangesWithAnyOfItsShards) {
  ASSERT_TRUE(write_file_atomic(folder_ / "a.safetensors", "1"));
  ASSERT_TRUE(write_file_atomic(folder_ / "b.safetensors", "2"));
  cache_.put(folder_, file_stamp(folder_), digest_);
  EXPECT_EQ(cache_.find(folder_, file_stamp(folder_)), digest_);
  ASSERT_TRUE(write_file_atomic(folder_ / "b.safetensors", "3"));
  EXPECT_FALSE(cache_.find(folder_, file_stamp(folder_)));
}

TEST_F(DigestCacheTest, WhatIsDamagedOrMissingIsNotThere) {
  const auto stamp = file_stamp(file_);
  cache_.put(file_, stamp, digest_);
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "digests"))
    ASSERT_TRUE(write_file_atomic(entry.path(), "no digest\n" + stamp));
  EXPECT_FALSE(cache_.find(file_, stamp));
  EXPECT_EQ(file_stamp(folder_ / "missing"), "");
  cache_.put(folder_ / "missing", "", digest_);
  EXPECT_FALSE(cache_.find(folder_ / "missing", ""));
}

}  // namespace
}  // namespace plinth::store
