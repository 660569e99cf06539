#include "engine/prefix_cache.h"

#include <numeric>

#include <gtest/gtest.h>

namespace plinth::engine {
namespace {

using Tokens = std::vector<int32_t>;

// Computes `tokens` as a sequence would: finds what is known, takes and adds the rest, lets go.
void compute(BlockPool& pool, PrefixCache& cache, PrefixCache::Chain chain, const Tokens& tokens) {
  const std::span<const int32_t> all(tokens);
  auto held = cache.find(chain, all);
  for (size_t n = held.size(); (n + 1) * 2 <= all.size(); ++n) {
    held.push_back(*pool.take());
    cache.add(chain, all.subspan(n * 2, 2), held.back().block());
  }
  while (!held.empty()) held.pop_back();
}

TEST(PrefixCache, FindsTheLongestKnownPrefix) {
  BlockPool pool(8);
  PrefixCache cache(pool, 2);
  auto chain = cache.start("", "");
  //  [1 2] - [3 4] - [5 6]
  //        \ [7 8]
  compute(pool, cache, chain, {1, 2, 3, 4, 5, 6});
  compute(pool, cache, chain, {1, 2, 7, 8});
  EXPECT_EQ(cache.known(chain, Tokens{1, 2, 3, 4, 5, 6, 9}), 3);
  EXPECT_EQ(cache.known(chain, Tokens{1, 2, 7, 8, 5, 6}), 2);
  EXPECT_EQ(cache.known(chain, Tokens{3, 4}), 0);
  EXPECT_EQ(cache.known(chain, Tokens{1}), 0);
  EXPECT_EQ(pool.free(), 8);
  const auto held = cache.find(chain, Tokens{1, 2, 3, 4});
  EXPECT_EQ(held.size(), 2u);
  EXPECT_EQ(pool.free(), 6);
}

TEST(PrefixCache, NeverCrossesAdaptersOrSalts) {
  BlockPool pool(8);
  PrefixCache cache(pool, 2);
  compute(pool, cache, cache.start("a", "tenant"), {1, 2, 3, 4});
  EXPECT_EQ(cache.known(cache.start("a", "tenant"), Tokens{1, 2, 3, 4}), 2);
  EXPECT_EQ(cache.known(cache.start("b", "tenant"), Tokens{1, 2, 3, 4}), 0);
  EXPECT_EQ(cache.known(cache.start("a", "other"), Tokens{1, 2, 3, 4}), 0);
  EXPECT_EQ(cache.known(cache.start("", "atenant"), Tokens{1, 2, 3, 4}), 0);
}

TEST(PrefixCache, DoesNotBelieveAHashCollision) {
  BlockPool pool(8);
  PrefixCache cache(pool, 2, [](std::string_view, uint64_t) -> uint64_t { return 42; });
  const auto chain = cache.start("a", "");
  compute(pool, cache, chain, {1, 2});
  EXPECT_EQ(cache.known(chain, Tokens{1, 2}), 1);
  EXPECT_EQ(cache.known(chain, Tokens{1, 3}), 0);
  EXPECT_EQ(cache.known(cache.start("b", ""), Tokens{1, 2}), 0);
  EXPECT_EQ(cache.known(chain, Tokens{1, 2, 1, 2}), 1) << "the same tokens further on";
}

TEST(PrefixCache, ForgetsTheEndOfTheOldestChainFirst) {
  BlockPool pool(4);
  PrefixCache cache(pool, 2);
  const auto chain = cache.start("", "");
  compute(pool, cache, chain, {1, 2, 3, 4});
  compute(pool, cache, chain, {5, 6, 7, 8});
  compute(pool, cache, chain, {9, 9});  // the pool is full of kept blocks: one must go
  EXPECT_EQ(cache.known(chain, Tokens{1, 2, 3, 4}), 1);
  EXPECT_EQ(cache.known(chain, Tokens{5, 6, 7, 8}), 2);
  EXPECT_EQ(cache.known(chain, Tokens{9, 9}), 1);
}

TEST(PrefixCache, AChainWhoseBeginningWasReplacedIsNotFound) {
  BlockPool pool(2);
  PrefixCache cache(pool, 2);
  const auto chain = cache.start("", "");
  compute(pool, cache, chain, {1, 2, 3, 4});
  compute(pool, cache, chain, {5, 6, 7, 8});
  EXPECT_EQ(cache.known(chain, Tokens{1, 2, 3, 4}), 0);
  compute(pool, cache, chain, {1, 2});
  EXPECT_EQ(cache.known(chain, Tokens{1, 2, 3, 4}), 1);
}

}  // namespace
}  // namespace plinth::engine
