#include "engine/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/rng.h"

namespace plinth::engine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Running = std::vector<RunningState>;
using Waiting = std::vector<WaitingState>;

const StepLimits kRoomy{.rows_max = 16, .sequences_max = 8, .block_tokens = 4, .blocks_free = 100};

TEST(Scheduler, DecodesComeBeforePrompts) {
  const Running running{{.tokens = 40, .computed = 8, .blocks = 2},
                        {.tokens = 10, .computed = 9, .blocks = 3}};
  const auto plan = plan_step(running, {}, kRoomy);
  EXPECT_THAT(plan.chunks, ElementsAre(Chunk{0, 15}, Chunk{1, 1}));
}

TEST(Scheduler, LongPromptIsCutAndAShortOnePassesIt) {
  const Running running{{.tokens = 200, .computed = 0}};
  const auto plan = plan_step(running, Waiting{{.tokens = 30}, {.tokens = 6}}, kRoomy);
  EXPECT_EQ(plan.admitted, 2u);
  EXPECT_THAT(plan.chunks, ElementsAre(Chunk{0, 8}, Chunk{1, 2}, Chunk{2, 6}));
}

TEST(Scheduler, CachedTokensCostNoRows) {
  const auto plan = plan_step({}, Waiting{{.tokens = 12, .cached = 8}}, kRoomy);
  EXPECT_THAT(plan.chunks, ElementsAre(Chunk{0, 4}));
}

TEST(Scheduler, WaitsForBlocksForTheWholePrompt) {
  StepLimits limits = kRoomy;
  limits.blocks_free = 3;
  EXPECT_EQ(plan_step({}, Waiting{{.tokens = 13}}, limits).admitted, 0u);
  EXPECT_EQ(plan_step({}, Waiting{{.tokens = 12}}, limits).admitted, 1u);
  const Running running{{.tokens = 4, .computed = 3, .blocks = 1}};
  EXPECT_EQ(plan_step(running, Waiting{{.tokens = 12}}, limits).admitted, 0u)
      << "a spare block for the one that runs";
}

TEST(Scheduler, DoesNotPromiseTheSameBlocksTwice) {
  StepLimits limits = kRoomy;
  limits.blocks_free = 10;
  const Running running{{.tokens = 32, .computed = 4, .blocks = 1}};  // needs 7 more
  EXPECT_EQ(plan_step(running, Waiting{{.tokens = 12}}, limits).admitted, 0u);
}

TEST(Scheduler, KeepsToTheNumberOfSequences) {
  StepLimits limits = kRoomy;
  limits.sequences_max = 2;
  const Running running{{.tokens = 4, .computed = 3, .blocks = 1}};
  EXPECT_EQ(plan_step(running, Waiting{{.tokens = 1}, {.tokens = 1}}, limits).admitted, 1u);
}

TEST(Scheduler, PreemptsTheYoungestWhenBlocksRunOut) {
  StepLimits limits = kRoomy;
  limits.blocks_free = 0;
  const Running running{{.tokens = 9, .computed = 8, .blocks = 2, .releasable = 2},
                        {.tokens = 5, .computed = 4, .blocks = 1, .releasable = 1},
                        {.tokens = 5, .computed = 4, .blocks = 1, .releasable = 1}};
  const auto plan = plan_step(running, Waiting{{.tokens = 1}}, limits);
  EXPECT_THAT(plan.preempted, ElementsAre(2, 1));
  EXPECT_THAT(plan.chunks, ElementsAre(Chunk{0, 1}));
  EXPECT_EQ(plan.admitted, 0u);
}

TEST(Scheduler, PreemptsWhenNobodyCanMove) {
  StepLimits limits = kRoomy;
  limits.blocks_free = 0;
  const Running running{{.tokens = 20, .computed = 8, .blocks = 2, .releasable = 2},
                        {.tokens = 20, .computed = 8, .blocks = 2, .releasable = 2}};
  const auto plan = plan_step(running, {}, limits);
  EXPECT_THAT(plan.preempted, ElementsAre(1));
  EXPECT_THAT(plan.chunks, IsEmpty());
}

TEST(Scheduler, AWriterToASharedBlockNeedsOneToCopy) {
  StepLimits limits = kRoomy;
  limits.blocks_free = 1;
  const Running running{{.tokens = 7, .computed = 6, .blocks = 2, .releasable = 1, .copies = true},
                        {.tokens = 7, .computed = 6, .blocks = 2, .releasable = 1, .copies = true}};
  const auto plan = plan_step(running, {}, limits);
  EXPECT_THAT(plan.chunks, ElementsAre(Chunk{0, 1}));
  EXPECT_THAT(plan.preempted, ElementsAre(1));
  limits.blocks_free = 2;
  EXPECT_THAT(plan_step(running, {}, limits).chunks, ElementsAre(Chunk{0, 1}, Chunk{1, 1}));
}

TEST(Scheduler, APrefixThatEndsInsideABlockNeedsOneToCopy) {
  StepLimits limits = kRoomy;
  limits.blocks_free = 4;
  auto plan = plan_step({}, Waiting{{.tokens = 12, .cached = 6}}, limits);
  EXPECT_THAT(plan.cached, ElementsAre(6));
  EXPECT_THAT(plan.chunks, ElementsAre(Chunk{0, 6}));
  limits.blocks_free = 3;
  plan = plan_step({}, Waiting{{.tokens = 12, .cached = 6}}, limits);
  EXPECT_THAT(plan.cached, ElementsAre(4)) << "no block to copy to";
  EXPECT_THAT(plan.chunks, ElementsAre(Chunk{0, 8}));
  limits.blocks_free = 2;
  EXPECT_EQ(plan_step({}, Waiting{{.tokens = 12, .cached = 6}}, limits).admitted, 0u);
  limits.blocks_free = 9;  // 4 and 3, and one spare
  plan = plan_step({}, Waiting{{.tokens = 12, .cached = 6}, {.tokens = 12, .cached = 7}}, limits);
  EXPECT_THAT(plan.cached, ElementsAre(6, 7));
  limits.blocks_free = 8;
  plan = plan_step({}, Waiting{{.tokens = 12, .cached = 6}, {.tokens = 12, .cached = 7}}, limits);
  EXPECT_THAT(plan.cached, ElementsAre(6, 4));
}

TEST(Scheduler, AFollowersTurnIsItsLeaders) {
  const Running running{{.tokens = 100, .computed = 20, .blocks = 5}, {.tokens = 90}};
  const Waiting waiting{{.tokens = 12, .follows = Follows{1, 8}}, {.tokens = 14, .follows = {}}};
  EXPECT_THAT(plan_step(running, waiting, kRoomy).chunks, ElementsAre(Chunk{0, 8}, Chunk{1, 8}))
      << "the short one's 8 before the other's 14";
  const Waiting both{{.tokens = 12, .follows = Follows{1, 3}}, {.tokens = 14}};
  EXPECT_THAT(plan_step(running, both, kRoomy).chunks,
              ElementsAre(Chunk{0, 8}, Chunk{1, 3}, Chunk{3, 5}))
      << "no more of the leader than is waited for";
  const Running done{{.tokens = 100, .computed = 20, .blocks = 5, .follows = {}},
                     {.tokens = 30, .computed = 28, .blocks = 7, .follows = Follows{0, 20}}};
  EXPECT_THAT(plan_step(done, {}, kRoomy).chunks, ElementsAre(Chunk{0, 16}));
}

TEST(Scheduler, GuessesGetRowsAndBlocksThatNobodyElseNeeds) {
  const Running two{{.tokens = 7, .computed = 6, .blocks = 2, .guessed = 8},
                    {.tokens = 7, .computed = 6, .blocks = 2, .guessed = 8}};
  EXPECT_THAT(plan_step(two, {}, kRoomy).chunks, ElementsAre(Chunk{0, 9}, Chunk{1, 7}));
  EXPECT_THAT(plan_step(two, Waiting{{.tokens = 50}}, kRoomy).chunks,
              ElementsAre(Chunk{0, 1}, Chunk{1, 1}, Chunk{2, 14}))
      << "prompts first";
  StepLimits limits = kRoomy;
  limits.blocks_free = 2;
  EXPECT_THAT(plan_step(two, {}, limits).chunks, ElementsAre(Chunk{0, 2}, Chunk{1, 2}))
      << "no block that a sequence may need in the next step";
  limits.blocks_free = 3;
  EXPECT_THAT(plan_step(two, {}, limits).chunks, ElementsAre(Chunk{0, 6}, Chunk{1, 2}));
}

TEST(Scheduler, GuestsComeLastAndHaveFewRows) {
  StepLimits limits = kRoomy;
  limits.guest_rows = 3;
  const Running running{{.tokens = 200, .computed = 0, .guest = true},
                        {.tokens = 10, .computed = 9, .blocks = 3},
                        {.tokens = 8, .computed = 0}};
  EXPECT_THAT(plan_step(running, {}, limits).chunks,
              ElementsAre(Chunk{0, 3}, Chunk{1, 1}, Chunk{2, 8}));
  limits.guest_rows = 0;
  EXPECT_THAT(plan_step(running, {}, limits).chunks, ElementsAre(Chunk{1, 1}, Chunk{2, 8}));
}

TEST(Scheduler, GuestsAnswersTakeTurnsAndComeBeforeTheirPrompts) {
  StepLimits limits = kRoomy;
  limits.guest_rows = 2;
  const RunningState answer{.tokens = 10, .computed = 9, .blocks = 3};
  RunningState guest = answer;
  guest.guest = true;
  guest.guessed = 4;
  const Running running{answer, guest, guest, guest, {.tokens = 200, .computed = 0, .guest = true}};
  EXPECT_THAT(plan_step(running, {}, limits).chunks,
              ElementsAre(Chunk{0, 1}, Chunk{1, 1}, Chunk{2, 1}));
  limits.guest_turn = 2;
  EXPECT_THAT(plan_step(running, {}, limits).chunks,
              ElementsAre(Chunk{0, 1}, Chunk{1, 1}, Chunk{3, 1}));
  limits.guest_rows = 5;
  EXPECT_THAT(plan_step(running, {}, limits).chunks,
              ElementsAre(Chunk{0, 1}, Chunk{1, 1}, Chunk{2, 1}, Chunk{3, 1}, Chunk{4, 2}));
  limits.guest_rows = 0;
  EXPECT_THAT(plan_step(running, {}, limits).chunks, ElementsAre(Chunk{0, 1}));
}

TEST(Scheduler, AGuestsAnswerPreemptsNobody) {
  StepLimits limits = kRoomy;
  limits.guest_rows = 2;
  limits.blocks_free = 0;
  const Running running{{.tokens = 10, .computed = 9, .blocks = 3},
                        {.tokens = 13, .computed = 12, .blocks = 3, .guest = true},
                        {.tokens = 10, .computed = 9, .blocks = 3}};
  const auto plan = plan_step(running, {}, limits);
  EXPECT_THAT(plan.preempted, ElementsAre());
  EXPECT_THAT(plan.chunks, ElementsAre(Chunk{0, 1}, Chunk{2, 1}));
}

TEST(Scheduler, ATenantLeavesTheReserveToOthers) {
  StepLimits limits = kRoomy;
  limits.blocks_free = 10;
  limits.blocks_reserve = 4;
  EXPECT_EQ(plan_step({}, Waiting{{.tokens = 16}, {.tokens = 16, .more = true}}, limits).admitted,
            1u);
  EXPECT_EQ(plan_step({}, Waiting{{.tokens = 16}, {.tokens = 16}}, limits).admitted, 2u);
}

// Sequences of random lengths through a small pool, as the engine would carry the plans out.
TEST(Scheduler, EverythingEndsAndBlocksAddUpUnderRandomLoad) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed);
    const StepLimits fixed{.rows_max = static_cast<int64_t>(1 + rng.below(20)),
                           .sequences_max = static_cast<int64_t>(1 + rng.below(6)),
                           .block_tokens = static_cast<int64_t>(1 + rng.below(5)),
                           .blocks_free = 0};
    const int64_t blocks = static_cast<int64_t>(4 + rng.below(20));

    struct Simulated {
      int id;
      int64_t tokens;
      int64_t end;
      int64_t computed = 0;
      int64_t held = 0;
      bool borrows = false;
    };

    std::vector<Simulated> waiting;
    std::vector<Simulated> running;
    for (int i = 0; i < 20; ++i) {
      const int64_t end =
          1 + static_cast<int64_t>(rng.below(static_cast<uint64_t>(blocks * fixed.block_tokens)));
      waiting.push_back({i, 1 + static_cast<int64_t>(rng.below(static_cast<uint64_t>(end))), end});
    }
    int64_t free = blocks;
    int steps = 0;
    while (!waiting.empty() || !running.empty()) {
      ASSERT_LT(++steps, 20000) << "seed " << seed;
      Running states;
      for (const auto& s : running)
        states.push_back({s.tokens, s.computed, s.held, s.held, s.borrows});
      // In every other day some are guests of those who run with them.
      const auto guest = [&](const Simulated& s) { return seed % 2 == 1 && s.id % 3 != 0; };
      if (!std::ranges::all_of(running, guest))
        for (size_t i = 0; i < running.size(); ++i) states[i].guest = guest(running[i]);
      Waiting queue;
      for (const auto& s : waiting)  // on some days a cache knows a part of each
        queue.push_back({s.tokens, seed % 3 == 0 ? s.tokens * (s.id % 4) / 4 : 0});
      StepLimits limits = fixed;
      limits.sequences_max = std::min(fixed.sequences_max, fixed.rows_max);
      limits.blocks_free = free;
      limits.guest_rows = limits.guest_turn = steps % 4;
      const auto plan = plan_step(states, queue, limits);

      std::vector<Simulated> all = running;
      all.insert(all.end(), waiting.begin(),
                 waiting.begin() + static_cast<std::ptrdiff_t>(plan.admitted));
      waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(plan.admitted));
      ASSERT_EQ(plan.cached.size(), plan.admitted);
      for (size_t i = 0; i < plan.admitted; ++i) {
        Simulated& s = all[running.size() + i];
        s.computed = plan.cached[i];
        s.held = (s.computed + fixed.block_tokens - 1) / fixed.block_tokens;
        s.borrows = s.computed % fixed.block_tokens != 0;
        free -= s.held;  // nobody else holds them
      }
      for (const size_t i : plan.preempted) {
        free += all[i].held;
        Simulated back = all[i];
        back.computed = back.held = 0;
        back.borrows = false;
        waiting.insert(waiting.begin(), back);
        all[i].end = 0;  // gone
      }
      int64_t rows = 0;
      for (const Chunk& chunk : plan.chunks) {
        Simulated& s = all[chunk.sequence];
        ASSERT_GT(s.end, 0) << "a preempted sequence got rows";
        ASSERT_LE(chunk.rows, s.tokens - s.computed);
        rows += chunk.rows;
        s.computed += chunk.rows;
        ASSERT_GE(free, s.borrows ? 1 : 0) << "no block to copy to, seed " << seed;
        s.borrows = false;
        while (s.held * fixed.block_tokens < s.computed) {
          ++s.held;
          --free;
        }
        if (s.computed == s.tokens) ++s.tokens;
      }
      ASSERT_GE(free, 0) << "seed " << seed;
      ASSERT_LE(rows, fixed.rows_max);
      running.clear();
      for (const auto& s : all) {
        if (s.end == 0) continue;
        if (s.tokens > s.end) {
          free += s.held;
        } else {
          running.push_back(s);
        }
      }
      std::ranges::sort(running, {}, &Simulated::id);
      std::ranges::sort(waiting, {}, &Simulated::id);
    }
    EXPECT_EQ(free, blocks);
  }
}

}  // namespace
}  // namespace plinth::engine
