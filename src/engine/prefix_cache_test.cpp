#include "engine/prefix_cache.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "core/rng.h"

namespace plinth::engine {
namespace {

using Tokens = std::vector<int32_t>;

// Computes `tokens` as a sequence would: finds what is known, takes and adds the rest, lets go.
void compute(BlockPool& pool, PrefixCache& cache, PrefixCache::Chain chain, const Tokens& tokens,
             size_t size = 2) {
  const std::span<const int32_t> all(tokens);
  const auto known = static_cast<size_t>(cache.known(chain, all));
  auto held = cache.find(chain, all);
  if (known % size != 0) held.pop_back();  // a copy would be written instead
  for (size_t n = held.size(); (n + 1) * size <= all.size(); ++n) {
    held.push_back(*pool.take());
    cache.add(chain, all.subspan(n * size, size), held.back().block());
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
  EXPECT_EQ(cache.known(chain, Tokens{1, 2, 3, 4, 5, 6, 9}), 6);
  EXPECT_EQ(cache.known(chain, Tokens{1, 2, 7, 8, 5, 6}), 4);
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
  EXPECT_EQ(cache.known(cache.start("a", "tenant"), Tokens{1, 2, 3, 4}), 4);
  EXPECT_EQ(cache.known(cache.start("b", "tenant"), Tokens{1, 2, 3, 4}), 0);
  EXPECT_EQ(cache.known(cache.start("a", "other"), Tokens{1, 2, 3, 4}), 0);
  EXPECT_EQ(cache.known(cache.start("", "atenant"), Tokens{1, 2, 3, 4}), 0);
}

TEST(PrefixCache, DoesNotBelieveAHashCollision) {
  BlockPool pool(8);
  PrefixCache cache(pool, 2, [](std::string_view, uint64_t) -> uint64_t { return 42; });
  const auto chain = cache.start("a", "");
  compute(pool, cache, chain, {1, 2});
  EXPECT_EQ(cache.known(chain, Tokens{1, 2}), 2);
  EXPECT_EQ(cache.known(chain, Tokens{1, 3}), 0);
  EXPECT_EQ(cache.known(cache.start("b", ""), Tokens{1, 2}), 0);
  EXPECT_EQ(cache.known(chain, Tokens{1, 2, 1, 2}), 2) << "the same tokens further on";
}

TEST(PrefixCache, ForgetsTheEndOfTheOldestChainFirst) {
  BlockPool pool(4);
  PrefixCache cache(pool, 2);
  const auto chain = cache.start("", "");
  compute(pool, cache, chain, {1, 2, 3, 4});
  compute(pool, cache, chain, {5, 6, 7, 8});
  compute(pool, cache, chain, {9, 9});  // the pool is full of kept blocks: one must go
  EXPECT_EQ(cache.known(chain, Tokens{1, 2, 3, 4}), 2);
  EXPECT_EQ(cache.known(chain, Tokens{5, 6, 7, 8}), 4);
  EXPECT_EQ(cache.known(chain, Tokens{9, 9}), 2);
}

TEST(PrefixCache, AChainWhoseBeginningWasReplacedIsNotFound) {
  BlockPool pool(2);
  PrefixCache cache(pool, 2);
  const auto chain = cache.start("", "");
  compute(pool, cache, chain, {1, 2, 3, 4});
  compute(pool, cache, chain, {5, 6, 7, 8});
  EXPECT_EQ(cache.known(chain, Tokens{1, 2, 3, 4}), 0);
  compute(pool, cache, chain, {1, 2});
  EXPECT_EQ(cache.known(chain, Tokens{1, 2, 3, 4}), 2);
}

TEST(PrefixCache, FindsTheBeginningOfABlockThatGoesOnDifferently) {
  BlockPool pool(8);
  PrefixCache cache(pool, 4);
  const auto scope = cache.start("", "");
  //  [1 2 3 4] - [5 6 7 8]
  //            \ [5 6 9 9]
  const std::vector<Tokens> texts{{1, 2, 3, 4, 5, 6, 7, 8}, {1, 2, 3, 4, 5, 6, 9, 9}};
  for (const Tokens& text : texts) compute(pool, cache, scope, text, 4);
  EXPECT_EQ(cache.known(scope, Tokens{1, 2, 3, 4, 5, 6, 7, 9}), 7);
  EXPECT_EQ(cache.known(scope, Tokens{1, 2, 3, 4, 5, 6, 9, 1, 2, 3}), 7);
  EXPECT_EQ(cache.known(scope, Tokens{1, 2, 3, 4, 5, 7}), 5);
  EXPECT_EQ(cache.known(scope, Tokens{1, 2, 3, 4, 6, 6}), 4);
  EXPECT_EQ(cache.known(scope, Tokens{1, 2, 3, 4, 5, 6, 7}), 7) << "a text that ends before";
  EXPECT_EQ(cache.known(scope, Tokens{1, 2, 3, 9}), 0) << "the first block of a scope";

  auto chain = scope;
  const auto held = cache.find(chain, Tokens{1, 2, 3, 4, 5, 6, 7, 9});
  EXPECT_EQ(held.size(), 2u);
  EXPECT_EQ(pool.free(), 6);
  EXPECT_EQ(cache.known(chain, Tokens{5, 6, 7, 8}), 4) << "the chain stands behind the first block";
}

TEST(PrefixCache, ABlocksBeginningNeverCrossesScopes) {
  BlockPool pool(8);
  PrefixCache cache(pool, 4);
  compute(pool, cache, cache.start("a", "x"), {1, 2, 3, 4, 5, 6, 7, 8}, 4);
  compute(pool, cache, cache.start("b", "x"), {1, 2, 3, 4}, 4);
  compute(pool, cache, cache.start("a", "y"), {1, 2, 3, 4}, 4);
  const Tokens text{1, 2, 3, 4, 5, 6, 7, 9};
  EXPECT_EQ(cache.known(cache.start("a", "x"), text), 7);
  EXPECT_EQ(cache.known(cache.start("b", "x"), text), 4);
  EXPECT_EQ(cache.known(cache.start("a", "y"), text), 4);
}

// Texts of few different tokens through a small pool: what find() gives is what it says, and while
// nothing has been replaced it is the most that any earlier text shares.
TEST(PrefixCache, GivesTheLongestPrefixAndNothingElse) {
  constexpr int64_t kSize = 4;
  for (const int32_t blocks : {7, 4000}) {
    Rng rng(static_cast<uint64_t>(blocks));
    BlockPool pool(blocks);
    PrefixCache cache(pool, kSize);
    const auto scope = cache.start("", "");
    std::vector<Tokens> holds(static_cast<size_t>(blocks));  // by block, with all that lies before
    std::vector<Tokens> texts;
    int64_t inside = 0;
    for (int i = 0; i < 300; ++i) {
      Tokens text(1 + rng.below(20));
      for (int32_t& token : text) token = rng.below(8) == 0 ? 1 : 0;
      const int64_t known = cache.known(scope, text);
      int64_t longest = 0;
      for (const Tokens& other : texts) {
        const int64_t alike = std::ranges::mismatch(other, text).in1 - other.begin();
        const int64_t full = std::ssize(other) / kSize * kSize;
        longest = std::max(longest, alike < kSize ? 0 : std::min(alike, full));
      }
      EXPECT_LE(known, longest);
      if (blocks > 1000) {
        EXPECT_EQ(known, longest);
      }
      inside += known % kSize != 0 ? 1 : 0;

      auto chain = scope;
      auto held = cache.find(chain, text);
      ASSERT_EQ(std::ssize(held), (known + kSize - 1) / kSize);
      for (size_t n = 0; n < held.size(); ++n) {
        const Tokens& there = holds[static_cast<size_t>(held[n].block())];
        const auto upto = std::min(known, static_cast<int64_t>(n + 1) * kSize);
        ASSERT_GE(std::ssize(there), upto);
        ASSERT_TRUE(std::equal(text.begin(), text.begin() + upto, there.begin()));
      }
      if (known % kSize != 0) held.pop_back();
      for (size_t n = held.size(); (n + 1) * kSize <= text.size(); ++n) {
        held.push_back(*pool.take());
        const auto block = held.back().block();
        holds[static_cast<size_t>(block)].assign(
            text.begin(), text.begin() + static_cast<std::ptrdiff_t>((n + 1) * kSize));
        cache.add(chain, std::span(text).subspan(n * kSize, kSize), block);
      }
      while (!held.empty()) held.pop_back();
      EXPECT_EQ(pool.free(), blocks);
      texts.push_back(std::move(text));
    }
    EXPECT_GT(inside, 20);
  }
}

}  // namespace
}  // namespace plinth::engine
