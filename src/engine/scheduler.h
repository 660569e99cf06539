// What the next step computes: planning apart from doing.
//
// plan_step() looks at plain numbers and answers in plain numbers; the engine carries the plan out.
// Rules, in order:
// - every sequence that only lacks its newest token gets its row (decode), the oldest first;
// - when no block is free for such a row, the youngest sequence is preempted: it gives its blocks
//   back and waits to be recomputed;
// - waiting sequences are admitted in order while the blocks for all their tokens are in sight; one
//   that begins inside a block of the prefix cache needs one more, until it has copied that block,
//   and does without where it is not there;
// - a sequence whose tenant runs already leaves the reserve of blocks to others;
// - the rows that are left go to prompts: half to the oldest, so that it always moves, the rest to
//   the shortest first, so that a short question passes a long document; what is left over to the
//   oldest;
// - a prompt that follows another (followers.h) gets no rows: on its turn they go to the other, as
//   far as it waits for it;
// - guests (fair_share.h) have no more rows together than guests may have, their answers before
//   their prompts: answers in turns, prompts after all others;
// - guesses get rows and blocks that nobody else needs.
// The oldest sequence always moves, so everything ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace plinth::engine {

// A prompt waits for blocks that an earlier sequence computes. The leader follows nobody.
struct Follows {
  size_t leader = 0;  // counted as in Chunk
  int64_t until = 0;  // tokens that the leader will have computed then

  bool operator==(const Follows&) const = default;
};

struct RunningState {
  int64_t tokens = 0;      // that must be computed before the sequence can go on
  int64_t computed = 0;    // of them, in the KV cache
  int64_t blocks = 0;      // held
  int64_t releasable = 0;  // of them, free again when this sequence lets go
  bool copies = false;     // its next row goes to a shared block, which takes one more to copy
  int64_t guessed = 0;     // rows that a decoding sequence could use beyond its own
  bool guest = false;      // stands back behind those who had less
  std::optional<Follows> follows = {};
};

struct WaitingState {
  int64_t tokens = 0;
  int64_t cached = 0;  // found in the prefix cache; may end inside a block
  bool guest = false;
  bool more = false;  // of a tenant who has sequences running, or before this one in the queue
  std::optional<Follows> follows = {};
};

struct StepLimits {
  int64_t rows_max = 0;
  int64_t sequences_max = 0;
  int64_t block_tokens = 0;
  int64_t blocks_free = 0;
  int64_t blocks_reserve = 0;  // stay free when a tenant's second sequence comes
  int64_t guest_rows = 0;      // of all guests together
  int64_t guest_turn = 0;      // which guest's answer comes first, counted on and on
};

// `rows` tokens of one sequence, from where it stands. Sequences are counted through `running` and
// on through the admitted ones of `waiting`.
struct Chunk {
  size_t sequence = 0;
  int64_t rows = 0;

  bool operator==(const Chunk&) const = default;
};

struct StepPlan {
  std::vector<size_t> preempted;  // indices of `running`, youngest first
  size_t admitted = 0;            // so many from the front of `waiting`
  std::vector<int64_t> cached;    // of each of them, the tokens to be taken from the prefix cache
  std::vector<Chunk> chunks;
};

// running: the oldest first; waiting: in the order of admission.
StepPlan plan_step(std::span<const RunningState> running, std::span<const WaitingState> waiting,
                   const StepLimits& limits);

}  // namespace plinth::engine
