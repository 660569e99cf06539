#include "engine/block_pool.h"

#include <gtest/gtest.h>

#include "core/rng.h"

namespace plinth::engine {
namespace {

TEST(BlockPool, GivesBackWhenLastHandleDies) {
  BlockPool pool(2);
  {
    BlockHandle first = *pool.take();
    {
      const BlockHandle second = first;
      EXPECT_EQ(pool.holders(first.block()), 2);
      first = BlockHandle();
      EXPECT_EQ(pool.free(), 1);
    }
    EXPECT_EQ(pool.free(), 2);
  }
  EXPECT_EQ(pool.free(), 2);
}

TEST(BlockPool, SaysNoWhenDry) {
  BlockPool pool(1);
  const auto held = pool.take();
  const auto more = pool.take();
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, Code::kResourceExhausted);
}

TEST(BlockPool, ReusesWhatNobodyKeepsBeforeWhatSomebodyMayWant) {
  BlockPool pool(3);
  int32_t kept = -1;
  int32_t plain = -1;
  {
    const BlockHandle a = *pool.take();
    const BlockHandle b = *pool.take();
    kept = a.block();
    plain = b.block();
    pool.keep(kept);
  }
  const BlockHandle first = *pool.take();
  const BlockHandle second = *pool.take();
  const BlockHandle third = *pool.take();
  EXPECT_EQ(first.block(), plain);
  EXPECT_EQ(third.block(), kept);
}

TEST(BlockPool, RevivesOnlyTheSameContents) {
  BlockPool pool(1);
  BlockHandle held = *pool.take();
  const int32_t block = held.block();
  const uint64_t generation = pool.generation(block);
  held = BlockHandle();
  {
    const auto again = pool.revive(block, generation);
    ASSERT_TRUE(again);
    EXPECT_EQ(pool.free(), 0);
  }
  { const auto other = pool.take(); }
  EXPECT_FALSE(pool.revive(block, generation));
}

TEST(BlockPool, FreeAndUsedAlwaysAddUp) {
  BlockPool pool(8);
  Rng rng(7);
  std::vector<BlockHandle> held;
  for (int i = 0; i < 5000; ++i) {
    if (rng.below(2) == 0) {
      if (auto block = pool.take()) held.push_back(*std::move(block));
    } else if (!held.empty()) {
      const size_t at = rng.below(held.size());
      if (rng.below(4) == 0) held.push_back(held[at]);
      if (rng.below(4) == 0) pool.keep(held[at].block());
      held.erase(held.begin() + static_cast<std::ptrdiff_t>(at));
    }
    std::vector<bool> used(8);
    for (const auto& handle : held) used[static_cast<size_t>(handle.block())] = true;
    ASSERT_EQ(pool.free(), std::count(used.begin(), used.end(), false));
  }
}

}  // namespace
}  // namespace plinth::engine
