#include "store/artifacts.h"

#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include <gtest/gtest.h>

#include "core/hash.h"

namespace plinth::store {
namespace {

class ArtifactsTest : public ::testing::Test {
 protected:
  ArtifactsTest()
      : temp_(*TempDirectory::create()), artifacts_(*Artifacts::open(temp_.path() / "a")) {}

  void write(const Path& path, std::string_view bytes) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
  }

  size_t files() const {
    size_t n = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(temp_.path() / "a"))
      n += entry.is_regular_file() ? 1 : 0;
    return n;
  }

  TempDirectory temp_;
  Artifacts artifacts_;
};

TEST_F(ArtifactsTest, ReadsBackWhatWasPutUnderItsSha256) {
  const auto digest = artifacts_.put("合同");
  ASSERT_TRUE(digest) << digest.error().message;
  EXPECT_EQ(*digest, sha256_hex("合同"));
  EXPECT_EQ(*artifacts_.read(*digest), "合同");
}

TEST_F(ArtifactsTest, KeepsOneCopyOfTheSameBytes) {
  ASSERT_TRUE(artifacts_.put("x"));
  ASSERT_TRUE(artifacts_.put("x"));
  write(temp_.path() / "x", "x");
  ASSERT_TRUE(artifacts_.put_file(temp_.path() / "x"));
  EXPECT_EQ(files(), 1u);
}

TEST_F(ArtifactsTest, AFolderIsNamedByItsNamesAndBytes) {
  write(temp_.path() / "one/adapter_config.json", "{}");
  write(temp_.path() / "one/adapter_model.safetensors", "weights");
  write(temp_.path() / "two/adapter_config.json", "{\"r\":2}");
  write(temp_.path() / "two/adapter_model.safetensors", "weights");
  const auto one = artifacts_.put_folder(temp_.path() / "one");
  const auto two = artifacts_.put_folder(temp_.path() / "two");
  ASSERT_TRUE(one && two);
  EXPECT_NE(*one, *two);
  const auto found = artifacts_.find(*one);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(*read_file(*found / "adapter_model.safetensors"), "weights");
}

TEST_F(ArtifactsTest, RefusesAFolderWithAFolderOrALinkInIt) {
  write(temp_.path() / "deep/inner/file", "x");
  EXPECT_EQ(artifacts_.put_folder(temp_.path() / "deep").error().code, Code::kInvalidArgument);
  write(temp_.path() / "linked/file", "x");
  std::filesystem::create_symlink("/etc/hostname", temp_.path() / "linked/link");
  EXPECT_EQ(artifacts_.put_folder(temp_.path() / "linked").error().code, Code::kInvalidArgument);
}

TEST_F(ArtifactsTest, NoticesRottenBytesAndHealsThemWhenPutAgain) {
  const std::string digest = *artifacts_.put("sound bytes");
  write(*artifacts_.find(digest), "sound bytex");
  EXPECT_EQ(artifacts_.find(digest).error().code, Code::kDataLoss);
  EXPECT_EQ(artifacts_.read(digest).error().code, Code::kDataLoss);
  ASSERT_TRUE(artifacts_.put("sound bytes"));
  EXPECT_EQ(*artifacts_.read(digest), "sound bytes");
}

TEST_F(ArtifactsTest, NoticesAFileAddedToAFolder) {
  write(temp_.path() / "one/a", "1");
  const std::string digest = *artifacts_.put_folder(temp_.path() / "one");
  write(*artifacts_.find(digest) / "b", "2");
  EXPECT_EQ(artifacts_.find(digest).error().code, Code::kDataLoss);
}

TEST_F(ArtifactsTest, OnlyDigestsNameArtifacts) {
  EXPECT_EQ(artifacts_.find("../../etc/passwd").error().code, Code::kInvalidArgument);
  EXPECT_EQ(artifacts_.read(std::string(64, '/')).error().code, Code::kInvalidArgument);
  EXPECT_EQ(artifacts_.find(std::string(64, '0')).error().code, Code::kNotFound);
}

TEST_F(ArtifactsTest, AFullDiskIsAnErrorAndLeavesNothingBehind) {
  // A limit on the size of files fails write() the way a full disk does.
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  auto* const old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 4096;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto digest = artifacts_.put(std::string(100'000, 'x'));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, old_handler);

  EXPECT_FALSE(digest);
  EXPECT_EQ(files(), 0u);
  EXPECT_TRUE(artifacts_.put(std::string(100'000, 'x')));
}

}  // namespace
}  // namespace plinth::store
