#include "engine/adapter_pool.h"

#include <atomic>
#include <chrono>
#include <future>

#include <gtest/gtest.h>

#include "engine/test_model.h"

namespace plinth::engine {
namespace {

using namespace std::chrono_literals;
using AdapterPtr = std::shared_ptr<const model::Adapter>;

// A pool that says when a load has ended; adapters of one size.
struct Pool {
  static inline const int64_t kBytes = adapter_bytes(*random_adapter(tiny_config(), 4, 1, "x"));

  explicit Pool(int64_t adapters)
      : pool(adapters * kBytes, as_it_is, [this] {
          const std::lock_guard lock(mutex);
          changed.notify_all();
        }) {}

  static Result<AdapterPtr> as_it_is(const model::Adapter& opened) {
    return std::make_shared<const model::Adapter>(opened);
  }

  AdapterSourcePtr add(const std::string& name, const std::string& digest, uint64_t seed = 1) {
    return *pool.add({name, digest, [this, digest, seed]() -> Result<AdapterPtr> {
                        ++opened;
                        return random_adapter(tiny_config(), 4, seed, digest);
                      }});
  }

  // Null: still not there after the time.
  Result<AdapterPtr> wait(const AdapterPool::Pin& pin, std::chrono::milliseconds time = 60s) {
    std::unique_lock lock(mutex);
    Result<AdapterPtr> got = AdapterPtr();
    changed.wait_for(lock, time, [&] {
      got = pin.get();
      return !got || *got != nullptr;
    });
    return got;
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::atomic<int> opened = 0;
  AdapterPool pool;
};

TEST(AdapterPool, ReadsNothingUntilSomebodyWantsIt) {
  Pool pool(1000);
  for (int i = 0; i < 1000; ++i) pool.add(fmt::format("a{}", i), fmt::format("d{}", i));
  EXPECT_EQ(pool.pool.stats().registered, 1000);
  EXPECT_EQ(pool.opened, 0);
  const auto pin = pool.pool.pin(*pool.pool.find("a7"));
  EXPECT_EQ((*pool.wait(pin))->digest, "d7");
  EXPECT_EQ(pool.opened, 1);
  EXPECT_EQ(pool.pool.stats().resident_bytes, Pool::kBytes);
}

TEST(AdapterPool, LetsGoOfTheLongestUnused) {
  Pool pool(2);
  for (const char* name : {"a", "b", "c"}) pool.add(name, name);
  const auto use = [&](const char* name) {
    return (*pool.wait(pool.pool.pin(*pool.pool.find(name))))->digest;
  };
  use("a");
  use("b");
  use("a");
  EXPECT_EQ(pool.opened, 2);
  use("c");  // b goes
  use("a");
  EXPECT_EQ(pool.opened, 3);
  use("b");
  EXPECT_EQ(pool.opened, 4);
  const auto stats = pool.pool.stats();
  EXPECT_EQ(stats.evictions, 2);
  EXPECT_EQ(stats.resident, 2);
  EXPECT_LE(stats.resident_bytes, stats.budget_bytes);
}

TEST(AdapterPool, WhatIsPinnedStaysAndTheNextOneWaits) {
  Pool pool(1);
  auto a = std::make_unique<AdapterPool::Pin>(pool.pool.pin(pool.add("a", "a")));
  const auto first = *pool.wait(*a);
  const auto b = pool.pool.pin(pool.add("b", "b"));
  EXPECT_EQ(*pool.wait(b, 50ms), nullptr);
  EXPECT_EQ(*a->get(), first);
  EXPECT_EQ(pool.pool.stats().evictions, 0);
  a.reset();
  EXPECT_EQ((*pool.wait(b))->digest, "b");
}

TEST(AdapterPool, ANameThatIsRegisteredAnewChangesOnlyLaterRequests) {
  Pool pool(8);
  const auto old = pool.pool.pin(pool.add("a", "old", 1));
  const auto before = *pool.wait(old);
  const auto late = *pool.pool.find("a");
  pool.add("a", "new", 2);
  const auto fresh = pool.pool.pin(*pool.pool.find("a"));
  EXPECT_EQ((*pool.wait(fresh))->digest, "new");
  EXPECT_EQ(*old.get(), before);
  EXPECT_EQ((*pool.wait(pool.pool.pin(late)))->digest, "old");
  EXPECT_EQ(pool.pool.stats().registered, 1);
  pool.pool.remove("a");
  EXPECT_EQ(pool.pool.find("a").error().message, "adapter a is not registered");
}

TEST(AdapterPool, OneDigestIsLoadedOnce) {
  Pool pool(8);
  const auto a = pool.pool.pin(pool.add("a", "same"));
  const auto b = pool.pool.pin(pool.add("b", "same"));
  EXPECT_EQ(*pool.wait(a), *pool.wait(b));
  EXPECT_EQ(pool.opened, 1);
}

TEST(AdapterPool, TheNthLoadFailsForThoseWhoWantedIt) {
  for (int n = 0; n < 5; ++n) {
    Pool pool(8);
    std::atomic<int> count = 0;
    std::vector<AdapterSourcePtr> sources;
    std::vector<AdapterPool::Pin> pins;
    for (int i = 0; i < 5; ++i) {
      const std::string name = fmt::format("a{}", i);
      sources.push_back(*pool.pool.add({name, name, [&, name]() -> Result<AdapterPtr> {
                                          if (count++ == n) return data_loss("torn");
                                          return random_adapter(tiny_config(), 4, 1, name);
                                        }}));
      pins.push_back(pool.pool.pin(sources.back()));
    }
    for (int i = 0; i < 5; ++i) {
      const auto got = pool.wait(pins[static_cast<size_t>(i)]);
      EXPECT_EQ(got.has_value(), i != n);
      if (!got) {
        EXPECT_EQ(got.error().message, fmt::format("adapter a{}: torn", n));
        EXPECT_EQ(got.error().code, Code::kDataLoss);
      }
    }
    EXPECT_TRUE(pool.wait(pool.pool.pin(sources[static_cast<size_t>(n)]))) << "tried again";
    EXPECT_EQ(pool.pool.stats().load_failures, 1);
  }
}

TEST(AdapterPool, OneThatExceedsTheWholeBudgetIsRefusedWithNumbers) {
  Pool pool(0);
  const auto got = pool.wait(pool.pool.pin(pool.add("a", "a")));
  EXPECT_EQ(got.error().message,
            fmt::format("adapter a: {} bytes, the budget of all adapters is 0", Pool::kBytes));
  EXPECT_EQ(got.error().code, Code::kResourceExhausted);
}

TEST(AdapterPool, NobodyWaitsForALoadThatIsNotWantedAnyMore) {
  Pool pool(8);
  std::promise<void> go;
  std::atomic<bool> opening = false;
  const auto slow = *pool.pool.add({"slow", "slow", [&]() -> Result<AdapterPtr> {
                                      opening = true;
                                      go.get_future().wait();
                                      return random_adapter(tiny_config(), 4, 1, "slow");
                                    }});
  {
    const auto given_up = pool.pool.pin(slow);
    while (!opening) std::this_thread::sleep_for(1ms);
    const auto queued = pool.pool.pin(pool.add("queued", "queued"));
  }
  const auto other = pool.pool.pin(pool.add("other", "other"));
  go.set_value();
  EXPECT_TRUE(pool.wait(other));
  EXPECT_EQ(pool.pool.stats().resident, 1);
  EXPECT_EQ(pool.opened, 1) << "the queued one was never opened";
}

TEST(AdapterPool, ManyThreadsPinAndLetGoWithinTheBudget) {
  Pool pool(3);
  std::vector<AdapterSourcePtr> sources;
  for (int i = 0; i < 10; ++i)
    sources.push_back(pool.add(fmt::format("a{}", i), fmt::format("d{}", i)));
  std::vector<std::jthread> threads;
  std::atomic<int> wrong = 0;
  for (uint64_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      Rng rng(t);
      for (int i = 0; i < 100; ++i) {
        const auto& source = sources[rng.below(sources.size())];
        const auto pin = pool.pool.pin(source);
        if (rng.below(4) == 0) continue;
        const auto got = pool.wait(pin);
        if (!got || *got == nullptr || (*got)->digest != source->digest) ++wrong;
        const auto stats = pool.pool.stats();
        if (stats.resident_bytes > stats.budget_bytes) ++wrong;
      }
    });
  threads.clear();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace plinth::engine
