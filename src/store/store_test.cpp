#include "store/store.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "store/database.h"
#include "store/leases.h"
#include "store/migrations.h"
#include "store/test_store.h"

namespace plinth::store {
namespace {

TEST_F(StoreTest, AnEmptyFolderBecomesTheNewestVersion) {
  auto db = open_database(home());
  ASSERT_TRUE(db);
  EXPECT_EQ(*(*db)->version(), static_cast<int64_t>(migrations().size()));
  EXPECT_TRUE(store_->bases()->empty());
}

TEST_F(StoreTest, ANewDatabaseIsItsOwnersAlone) {
  if (on_postgres()) GTEST_SKIP() << "of SQLite's file";
  const TestHome fresh;
  ASSERT_TRUE(make_directories(fresh.path()));
  const mode_t before = ::umask(0);
  const auto db = open_database(fresh.path());
  ASSERT_TRUE(db);
  ASSERT_TRUE((*db)->define("CREATE TABLE t (x INTEGER)"));
  ::umask(before);
  using std::filesystem::perms;
  for (const char* name : {"plinth.db", "plinth.db-wal", "plinth.db-shm"})
    EXPECT_EQ(std::filesystem::status(fresh.path() / name).permissions(),
              perms::owner_read | perms::owner_write)
        << name;
}

// One of a version before, with rows: they stay, and get what they had no words for.
TEST_F(StoreTest, AnOlderDatabaseIsBroughtForward) {
  for (size_t version = 1; version < migrations().size(); ++version) {
    const TestHome old;
    ASSERT_TRUE(make_directories(old.path()));
    {
      auto db = *open_database(old.path());
      const Status made = db->transaction([&]() -> Status {
        PLINTH_TRY(db->version());
        for (size_t i = 0; i < version; ++i) PLINTH_TRY(db->define(migrations()[i]));
        return db->set_version(static_cast<int64_t>(version));
      });
      ASSERT_TRUE(made) << version << ": " << made.error().message;
      ASSERT_TRUE(db->run(
          "INSERT INTO bases (name, digest, path, created_ms) VALUES ('tiny', 'aa', '/m', 1)"));
    }
    const auto store = Store::open(old.path());
    ASSERT_TRUE(store) << version << ": " << store.error().message;
    EXPECT_EQ((*store)->base("tiny")->digest, "aa");
    const auto tenant = (*store)->create_tenant("law");
    ASSERT_TRUE(tenant) << version << ": " << tenant.error().message;
    const auto key = (*store)->create_key("law", "");
    ASSERT_TRUE((*store)->add_usage({{.request_id = "r",
                                      .tenant_id = tenant->id,
                                      .key_id = key->info.id,
                                      .model = "tiny",
                                      .core_us = 7}}));
    EXPECT_EQ((*store)->usage({})->at(0).core_us, 7);
    EXPECT_TRUE(*(*Leases::open(old.path()))->take("a"));
  }
}

TEST_F(StoreTest, ADatabaseFromTheFutureIsRefused) {
  store_.reset();
  ASSERT_TRUE((*open_database(home()))->set_version(1000));
  const auto opened = Store::open(home());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kFailedPrecondition);
}

TEST_F(StoreTest, AFileThatIsNoDatabaseIsDataLoss) {
  if (on_postgres()) GTEST_SKIP() << "of SQLite's file";
  store_.reset();
  std::filesystem::remove_all(home());
  std::filesystem::create_directories(home());
  std::ofstream(home() / "plinth.db") << std::string(10'000, 'x');
  const auto opened = Store::open(home());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kDataLoss);
}

TEST_F(StoreTest, BasesMoveTheirNameToTheNewestImport) {
  ASSERT_TRUE(store_->put_base({.name = "tiny", .digest = "aa", .path = "/m/1.gguf"}));
  ASSERT_TRUE(store_->put_base({.name = "tiny", .digest = "bb", .path = "/m/2.gguf"}));
  EXPECT_EQ(store_->base("tiny")->digest, "bb");
  EXPECT_EQ(store_->bases()->size(), 1u);
  EXPECT_EQ(store_->base("large").error().code, Code::kNotFound);
}

TEST_F(StoreTest, ARemovedBaseIsForgottenOnce) {
  ASSERT_TRUE(store_->put_base({.name = "tiny", .digest = "aa", .path = "/m/1.gguf"}));
  ASSERT_TRUE(store_->put_base({.name = "other", .digest = "aa", .path = "/m/1.gguf"}));
  ASSERT_TRUE(store_->remove_base("tiny"));
  reopen();
  EXPECT_EQ(store_->base("tiny").error().code, Code::kNotFound);
  EXPECT_TRUE(store_->base("other"));
  EXPECT_EQ(store_->remove_base("tiny").error().code, Code::kNotFound);
}

TEST_F(StoreTest, AdaptersAreRegisteredOnceByContent) {
  const Path folder = home_.folder() / "adapter";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "adapter_config.json") << "{}";
  std::ofstream(folder / "adapter_model.safetensors") << "w";
  const auto first = store_->add_adapter(folder, "law", "base");
  const auto again = store_->add_adapter(folder, "law", "base");
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->digest, again->digest);
  EXPECT_EQ(store_->adapters()->size(), 1u);
  EXPECT_TRUE(store_->artifacts().find(first->digest));
  const auto file = store_->add_adapter(folder / "adapter_model.safetensors", "law", "base");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(*store_->artifacts().read(file->digest), "w");
}

TEST_F(StoreTest, WhatWasAcknowledgedSurvivesAKilledProcess) {
  const int64_t tenant = store_->create_tenant("a")->id;
  const int64_t key = store_->create_key("a", "")->info.id;
  store_.reset();
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto store = Store::open(home());
    if (!store) _exit(1);
    for (int i = 0; i < 1000; ++i) {
      const UsageRow row{
          .request_id = std::to_string(i), .tenant_id = tenant, .key_id = key, .model = "m"};
      if (!(*store)->add_usage({row})) _exit(2);
      const char one = 1;
      if (write(pipe_ends[1], &one, 1) != 1) _exit(3);
    }
    _exit(4);
  }
  close(pipe_ends[1]);
  int64_t acknowledged = 0;
  char byte = 0;
  while (acknowledged < 20 && read(pipe_ends[0], &byte, 1) == 1) ++acknowledged;
  kill(child, SIGKILL);
  while (read(pipe_ends[0], &byte, 1) == 1) ++acknowledged;
  close(pipe_ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << WEXITSTATUS(status);

  store_ = *Store::open(home());
  const int64_t rows = store_->usage()->at(0).requests;
  // One more may have been committed and not yet said so.
  EXPECT_GE(rows, acknowledged);
  EXPECT_LE(rows, acknowledged + 1);
}

TEST_F(StoreTest, AFullDiskIsAnErrorAndTheStoreGoesOnAfterwards) {
  if (on_postgres()) GTEST_SKIP() << "of SQLite's file";
  const int64_t tenant = store_->create_tenant("a")->id;
  const int64_t key = store_->create_key("a", "")->info.id;
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  auto* const old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 1024 * 1024;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  int written = 0;
  Status last;
  const auto add = [&] {
    return store_->add_usage({{.request_id = std::to_string(written),
                               .tenant_id = tenant,
                               .key_id = key,
                               .model = std::string(50'000, 'x')}});
  };
  while (written < 100 && last) {
    last = add();
    if (last) ++written;
  }
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, old_handler);

  EXPECT_FALSE(last);
  ASSERT_GT(written, 0);
  EXPECT_NE(last.error().message.find((home() / "plinth.db").string()), std::string::npos)
      << last.error().message;
  EXPECT_EQ(store_->usage()->at(0).requests, written);
  EXPECT_TRUE(add());
  reopen();
  EXPECT_EQ(store_->usage()->at(0).requests, written + 1);
}

}  // namespace
}  // namespace plinth::store
