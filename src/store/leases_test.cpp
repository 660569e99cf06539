#include "store/leases.h"

#include <fstream>

#include "store/database.h"
#include "store/test_store.h"

namespace plinth::store {
namespace {

class LeasesTest : public StoreTest {
 protected:
  // A server of another machine: its home is elsewhere, so no lock file tells of its death.
  struct Machine {
    TempDirectory folder = *TempDirectory::create();
    std::unique_ptr<Leases> leases;
  };

  // On the same database. Its clock is its own.
  Machine machine(const Clock& clock) {
    Machine made;
    const Path there = made.folder.path();
    if (on_postgres()) {
      std::filesystem::copy_file(home() / "plinth.toml", there / "plinth.toml");
    } else {
      std::filesystem::create_symlink(home() / "plinth.db", there / "plinth.db");
    }
    made.leases = *Leases::open(there, clock);
    return made;
  }

  Machine machine() { return machine(clock_); }

  void pass(int64_t ms) { clock_.now_ms += ms; }

  std::unique_ptr<Leases> here_ = *Leases::open(home(), clock_);
};

TEST_F(LeasesTest, AreOfOneServerAtATime) {
  const Machine there = machine();
  EXPECT_TRUE(*here_->take("a"));
  EXPECT_TRUE(*here_->take("a")) << "it has it already";
  EXPECT_FALSE(*there.leases->take("a"));
  EXPECT_TRUE(*there.leases->take("b"));
  EXPECT_TRUE(here_->held("a"));
  EXPECT_FALSE(here_->held("b"));
  here_->release("a");
  EXPECT_FALSE(here_->held("a"));
  EXPECT_TRUE(*there.leases->take("a"));
  here_->release("a");  // not its own any more: stays
  EXPECT_FALSE(*here_->take("a"));
}

TEST_F(LeasesTest, AServerThatEndsGivesThemUp) {
  Machine there = machine();
  ASSERT_TRUE(*there.leases->take("a"));
  EXPECT_FALSE(*here_->take("a"));
  there.leases.reset();
  EXPECT_TRUE(*here_->take("a"));
}

// However long that takes by the wall, and whatever the wall's clock says.
TEST_F(LeasesTest, WhoBeatsLives) {
  const Machine there = machine();
  ASSERT_TRUE(*there.leases->take("a"));
  for (int i = 0; i < 20; ++i) {
    pass(Leases::kBeatMs);
    ASSERT_TRUE(there.leases->tend());
    ASSERT_TRUE(here_->tend());
    EXPECT_TRUE(there.leases->held("a"));
    EXPECT_FALSE(*here_->take("a"));
  }
}

TEST_F(LeasesTest, WhoHasStoppedBeatingLosesThemAndKnowsItBefore) {
  const Machine there = machine();
  ASSERT_TRUE(*there.leases->take("a"));
  const std::string name = there.leases->server();
  int64_t silent_ms = 0;
  while (!*here_->take("a")) {
    pass(Leases::kBeatMs);
    silent_ms += Leases::kBeatMs;
    ASSERT_LE(silent_ms, 2 * Leases::kDeadMs);
    ASSERT_TRUE(here_->tend());
    if (silent_ms >= Leases::kTrustMs) {
      EXPECT_FALSE(there.leases->held("a"));
    }
  }
  EXPECT_GE(silent_ms, Leases::kDeadMs);
  // It wakes up: what it had is gone, and it is somebody new.
  ASSERT_TRUE(there.leases->tend());
  EXPECT_FALSE(there.leases->held("a"));
  EXPECT_NE(there.leases->server(), name);
  EXPECT_FALSE(*there.leases->take("a"));
  EXPECT_TRUE(*there.leases->take("b"));
}

// Between being taken for dead and noticing it, even where its own clock has stood still.
TEST_F(LeasesTest, WhoWasTakenForDeadTakesNothing) {
  const FakeClock stopped;
  const Machine there = machine(stopped);
  for (int i = 0; i < 8; ++i) {
    pass(Leases::kBeatMs);
    ASSERT_TRUE(here_->tend());
  }
  EXPECT_FALSE(*there.leases->take("a"));
  EXPECT_TRUE(*here_->take("a"));
}

// The database went away in between: its own lease is not in its way when it is back.
TEST_F(LeasesTest, AReleaseThatDidNotArriveIsNoObstacle) {
  auto db = *open_database(home());
  const std::string name = here_->server();
  ASSERT_TRUE(db->run("INSERT INTO leases (name, server) VALUES ('a', ?)", {name}));
  EXPECT_FALSE(here_->held("a"));
  const Machine there = machine();
  EXPECT_FALSE(*there.leases->take("a"));
  EXPECT_TRUE(*here_->take("a"));
  here_->release("a");
  EXPECT_TRUE(*there.leases->take("a"));
}

// As when the disk is full: a server begins nevertheless, and takes nothing until it has its row.
TEST_F(LeasesTest, WithoutARowThereAreNoLeasesUntilThereIsOne) {
  auto db = *open_database(home());
  ASSERT_TRUE(db->run("ALTER TABLE servers RENAME TO away"));
  const auto other = Leases::open(home(), clock_);
  ASSERT_TRUE(other);
  EXPECT_FALSE(*(*other)->take("a"));
  EXPECT_FALSE((*other)->tend());
  const auto files = std::filesystem::directory_iterator(home() / "servers");
  EXPECT_EQ(std::distance(begin(files), end(files)), 1) << "here_'s";
  ASSERT_TRUE(db->run("ALTER TABLE away RENAME TO servers"));
  EXPECT_TRUE((*other)->tend());
  EXPECT_TRUE(*(*other)->take("a"));
}

// The lock of a process on this machine is free the moment it dies.
TEST_F(LeasesTest, ADeadProcessOfThisHomeIsSeenAtOnce) {
  auto other = *Leases::open(home(), clock_);
  ASSERT_TRUE(*other->take("a"));
  ASSERT_TRUE(here_->tend());
  EXPECT_FALSE(*here_->take("a")) << "it lives";
  // What kill -9 leaves: the row and the file, and nobody who holds it.
  const Path file = home() / "servers" / other->server();
  std::filesystem::remove(file);
  std::ofstream(file).put('\n');
  ASSERT_TRUE(here_->tend());
  EXPECT_TRUE(*here_->take("a"));
  EXPECT_FALSE(std::filesystem::exists(file));
}

}  // namespace
}  // namespace plinth::store
