#include "train/checkpoint.h"

#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "train/run_files.h"

namespace plinth::train {
namespace {

class Checkpoint : public testing::Test {
 protected:
  std::array<Arena, 2> arenas() { return {Arena{"a", a_}, Arena{"b", b_}}; }

  void save(int64_t step) {
    a_[0] = static_cast<float>(step);
    CheckpointState state;
    state.step = step;
    state.cursor = 10 * step;
    state.tokens = 100 * step;
    state.extra = {{"best", 1.5}};
    state.recipe = recipe_;
    const auto saved = save_checkpoint(temp_.path(), state, arenas());
    ASSERT_TRUE(saved) << saved.error().message;
  }

  Result<std::optional<CheckpointState>> load() {
    return load_checkpoint(temp_.path(), {&recipe_, {}}, arenas());
  }

  Path path(int64_t step) const { return temp_.path() / fmt::format("checkpoint-{:07}.bin", step); }

  TempDirectory temp_ = *TempDirectory::create();
  std::map<std::string, std::string> recipe_ = {{"lr", "1"}};
  std::vector<float> a_ = {1, 2, 3};
  std::vector<float> b_ = {4, 5};
};

TEST_F(Checkpoint, ComesBackWhole) {
  save(7);
  a_ = {0, 0, 0};
  b_ = {0, 0};
  const auto state = load();
  ASSERT_TRUE(state && *state);
  EXPECT_EQ((*state)->step, 7);
  EXPECT_EQ((*state)->cursor, 70);
  EXPECT_EQ((*state)->tokens, 700);
  EXPECT_EQ((*state)->extra["best"], 1.5);
  EXPECT_EQ(a_, (std::vector<float>{7, 2, 3}));
  EXPECT_EQ(b_, (std::vector<float>{4, 5}));
}

TEST_F(Checkpoint, IsNothingInAFreshFolder) {
  const auto state = load();
  ASSERT_TRUE(state);
  EXPECT_FALSE(state->has_value());
}

TEST_F(Checkpoint, KeepsTheLastTwo) {
  for (const int64_t step : {9, 10, 11}) save(step);
  EXPECT_FALSE(std::filesystem::exists(path(9)));
  EXPECT_TRUE(std::filesystem::exists(path(10)));
  EXPECT_EQ((*load())->step, 11);
}

// Torn at every length, and with every bit pattern of damage that one byte can have at a few
// places.
TEST_F(Checkpoint, TakesTheOneBeforeWhenTheNewestIsTornOrDamaged) {
  save(1);
  save(2);
  const std::string whole = read_text(path(2));
  for (size_t length = 0; length < whole.size(); length += 7) {
    write_text(path(2), whole.substr(0, length));
    const auto state = load();
    ASSERT_TRUE(state && *state) << length;
    ASSERT_EQ((*state)->step, 1) << length;
  }
  for (size_t at = 0; at < whole.size(); at += 17) {
    std::string damaged = whole;
    damaged[at] ^= 0x20;
    write_text(path(2), damaged);
    const auto state = load();
    ASSERT_TRUE(state && *state) << at;
    ASSERT_EQ((*state)->step, 1) << at;
  }
}

TEST_F(Checkpoint, OfAnotherRecipeOrShapeIsRefused) {
  save(1);
  recipe_["lr"] = "2";
  auto refused = load();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  EXPECT_NE(refused.error().message.find("lr = 1, the recipe says 2"), std::string::npos);
  constexpr std::string_view may_differ[] = {"lr"};
  EXPECT_TRUE(load_checkpoint(temp_.path(), {&recipe_, may_differ}, arenas()));
  recipe_["lr"] = "1";
  b_.resize(3);
  EXPECT_EQ(load().error().code, Code::kFailedPrecondition);
}

TEST_F(Checkpoint, IsNotWrittenIntoAFolderThatIsNotThere) {
  EXPECT_FALSE(save_checkpoint(temp_.path() / "gone", {}, arenas()));
}

}  // namespace
}  // namespace plinth::train
