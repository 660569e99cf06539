#include "engine/scheduler.h"

#include <algorithm>

namespace plinth::engine {
namespace {

int64_t blocks_for(int64_t tokens, int64_t block_tokens) {
  return (tokens + block_tokens - 1) / block_tokens;
}

// A sequence as the plan goes on.
struct Draft {
  int64_t tokens = 0;
  int64_t computed = 0;
  int64_t blocks = 0;
  int64_t releasable = 0;
  bool copies = false;
  int64_t guessed = 0;
  bool guest = false;
  std::optional<Follows> follows = {};
  int64_t rows = 0;
  bool preempted = false;

  int64_t lacking() const { return tokens - computed - rows; }

  bool decoding() const { return tokens - computed == 1; }
};

class Planner {
 public:
  Planner(std::span<const RunningState> running, const StepLimits& limits)
      : limits_(limits),
        running_(running.size()),
        rows_left_(limits.rows_max),
        guest_rows_left_(limits.guest_rows),
        blocks_free_(limits.blocks_free) {
    for (const auto& state : running)
      drafts_.push_back({.tokens = state.tokens,
                         .computed = state.computed,
                         .blocks = state.blocks,
                         .releasable = state.releasable,
                         .copies = state.copies,
                         .guessed = state.guessed,
                         .guest = state.guest,
                         .follows = state.follows});
  }

  StepPlan plan(std::span<const WaitingState> waiting) {
    decode();
    decode_guests();
    admit(waiting);
    prefill();
    guess();
    if (nothing_moves()) preempt_youngest();
    for (size_t i = 0; i < drafts_.size(); ++i)
      if (drafts_[i].rows > 0) plan_.chunks.push_back({i, drafts_[i].rows});
    return std::move(plan_);
  }

 private:
  void decode() {
    for (Draft& draft : drafts_) {
      if (!draft.decoding() || draft.guest || rows_left_ == 0) continue;
      while (!draft.preempted && give_rows(draft, 1) == 0) preempt_youngest();
    }
  }

  // In turns, because not all of them may fit. Nobody is preempted for them.
  void decode_guests() {
    std::vector<size_t> guests;
    for (size_t i = 0; i < drafts_.size(); ++i)
      if (drafts_[i].guest && drafts_[i].decoding() && !drafts_[i].preempted) guests.push_back(i);
    for (size_t i = 0; i < guests.size() && guest_rows_left_ > 0; ++i) {
      const size_t turn = (static_cast<size_t>(limits_.guest_turn) + i) % guests.size();
      guest_rows_left_ -= give_rows(drafts_[guests[turn]], 1);
    }
  }

  void admit(std::span<const WaitingState> waiting) {
    if (!plan_.preempted.empty()) return;
    int64_t promised = 0;  // blocks that running prompts still need
    for (const Draft& draft : drafts_)
      promised +=
          std::max<int64_t>(0, blocks_for(draft.tokens, limits_.block_tokens) - draft.blocks) +
          (draft.copies && draft.rows == 0 ? 1 : 0);
    for (const auto& state : waiting) {
      if (static_cast<int64_t>(drafts_.size()) >= limits_.sequences_max) return;
      int64_t cached = state.cached;
      bool copies = cached % limits_.block_tokens != 0;
      int64_t need = blocks_for(state.tokens, limits_.block_tokens) + (copies ? 1 : 0);
      // One spare block for each sequence that runs: who is admitted should not be preempted at
      // once.
      const auto spare = static_cast<int64_t>(drafts_.size());
      const int64_t reserve = state.more ? limits_.blocks_reserve : 0;
      const int64_t room = blocks_free_ - promised - spare - reserve;
      if (copies && need > room) {
        copies = false;
        cached -= cached % limits_.block_tokens;
        --need;
      }
      if (need > room) return;
      const int64_t found = blocks_for(cached, limits_.block_tokens);
      blocks_free_ -= found;
      promised += need - found;
      drafts_.push_back({.tokens = state.tokens,
                         .computed = cached,
                         .blocks = found,
                         .copies = copies,
                         .guest = state.guest,
                         .follows = state.follows});
      plan_.cached.push_back(cached);
      ++plan_.admitted;
    }
  }

  void prefill() {
    give_prompts(false, rows_left_);
    give_prompts(true, std::min(rows_left_, guest_rows_left_));
  }

  // Of the guests or of the others, together no more than `rows`.
  void give_prompts(bool guests, int64_t rows) {
    std::vector<size_t> prompts;
    for (size_t i = 0; i < drafts_.size(); ++i)
      if (!drafts_[i].preempted && drafts_[i].guest == guests && drafts_[i].lacking() > 0 &&
          !(guests && drafts_[i].decoding()))
        prompts.push_back(i);
    if (prompts.empty()) return;
    const auto give = [&](size_t i, int64_t share) {
      rows -= give_prompt_rows(drafts_[i], std::min(share, rows));
    };
    const size_t oldest = prompts.front();
    give(oldest, prompts.size() == 1 ? rows : (rows + 1) / 2);
    std::stable_sort(prompts.begin() + 1, prompts.end(), [this](size_t a, size_t b) {
      return drafts_[a].lacking() < drafts_[b].lacking();
    });
    for (size_t i = 1; i < prompts.size(); ++i) give(prompts[i], rows);
    give(oldest, rows);
  }

  // A follower's turn is its leader's.
  int64_t give_prompt_rows(Draft& draft, int64_t rows) {
    if (!draft.follows) return give_rows(draft, rows);
    Draft& leader = drafts_[draft.follows->leader];
    if (leader.preempted) return 0;
    return give_rows(leader, std::min(rows, draft.follows->until - leader.computed - leader.rows));
  }

  // Never takes the blocks that let everybody go on in the next step.
  void guess() {
    const auto spare = static_cast<int64_t>(drafts_.size());
    for (Draft& draft : drafts_) {
      if (draft.rows != 1 || draft.preempted || draft.guest || !draft.decoding()) continue;
      const int64_t blocks = draft.blocks + std::max<int64_t>(0, blocks_free_ - spare);
      const int64_t rows = std::min(
          {draft.guessed, rows_left_, blocks * limits_.block_tokens - draft.computed - draft.rows});
      if (rows > 0) take_rows(draft, rows);
    }
  }

  // Up to `rows` more rows, as far as rows and blocks reach. Returns how many.
  int64_t give_rows(Draft& draft, int64_t rows) {
    const int64_t copy = draft.copies && draft.rows == 0 ? 1 : 0;
    if (blocks_free_ < copy) return 0;
    const int64_t reach = (draft.blocks + blocks_free_ - copy) * limits_.block_tokens;
    rows = std::min({rows, rows_left_, draft.lacking(), reach - draft.computed - draft.rows});
    if (rows <= 0) return 0;
    blocks_free_ -= copy;
    take_rows(draft, rows);
    return rows;
  }

  void take_rows(Draft& draft, int64_t rows) {
    draft.rows += rows;
    rows_left_ -= rows;
    const int64_t more = std::max<int64_t>(
        0, blocks_for(draft.computed + draft.rows, limits_.block_tokens) - draft.blocks);
    draft.blocks += more;
    blocks_free_ -= more;
  }

  void preempt_youngest() {
    for (size_t i = running_; i-- > 0;) {
      Draft& draft = drafts_[i];
      if (draft.preempted) continue;
      draft.preempted = true;
      blocks_free_ += draft.releasable;
      plan_.preempted.push_back(i);
      return;
    }
  }

  bool nothing_moves() const {
    return running_ > 0 && plan_.preempted.empty() &&
           std::ranges::all_of(drafts_, [](const Draft& draft) { return draft.rows == 0; });
  }

  const StepLimits& limits_;
  size_t running_;
  int64_t rows_left_;
  int64_t guest_rows_left_;
  int64_t blocks_free_;
  std::vector<Draft> drafts_;
  StepPlan plan_;
};

}  // namespace

StepPlan plan_step(std::span<const RunningState> running, std::span<const WaitingState> waiting,
                   const StepLimits& limits) {
  return Planner(running, limits).plan(waiting);
}

}  // namespace plinth::engine
