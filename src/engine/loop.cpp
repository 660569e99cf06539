// The engine thread: plans a step, carries it out, hands out what came of it (intake.cpp: what
// comes in, and what ends before its time; prefixes.cpp: what need not be computed).
#include <algorithm>
#include <span>
#include <utility>

#include "core/check.h"
#include "core/clock.h"
#include "core/threads.h"
#include "engine/engine_impl.h"
#include "engine/lookup.h"

namespace plinth::engine {
void Engine::Impl::work(const std::stop_token& stop) {
  while (absorb(stop)) {
    const Stopwatch watch;
    step();
    leave_time(watch.seconds());
    interleave();
  }
  urgent_.reset();
  abort_all();
}

// Turns one more matrix: the first answers need not wait for all of them.
void Engine::Impl::interleave() {
  if (interleaved_) return;
  const auto more = interleaving_.advance();
  // Without memory the rest stays as stored: slower, and the same bits.
  interleaved_ = !more || !*more;
  if (!interleaved_) return;
  const std::lock_guard lock(mutex_);
  stats_.interleaved = true;
}

StepPlan Engine::Impl::plan() {
  mark_guests();
  std::vector<RunningState> running;
  int64_t scoring = 0;
  for (const auto& sequence : running_) catch_up(*sequence);
  for (const auto& sequence : running_) {
    guess(*sequence);
    RunningState state{.tokens = std::ssize(sequence->tokens),
                       .computed = sequence->computed,
                       .blocks = std::ssize(sequence->blocks),
                       .copies = writes_shared(*sequence),
                       .guessed = std::max<int64_t>(0, std::ssize(sequence->guess) - 1),
                       .guest = sequence->guest};
    for (const auto& block : sequence->blocks)
      state.releasable += pool_.holders(block.block()) == 1 ? 1 : 0;
    running.push_back(state);
    scoring += sequence->background ? 1 : 0;
  }

  // Answers before scores, and scores never in more than half of the places.
  const auto places = static_cast<size_t>(options_.sequences_max - std::ssize(running_));
  const auto scores = static_cast<size_t>(
      std::max<int64_t>(0, std::max<int64_t>(1, options_.sequences_max / 2) - scoring));
  std::vector<WaitingState> waiting;
  offer_waiting(waiting, places);
  if (offered_.size() == waiting_.size())
    for (size_t i = 0; i < std::min({scores, places - waiting.size(), background_.size()}); ++i)
      waiting.push_back(waiting_state(*background_[i]));
  mark_followers(running, waiting);

  constexpr int64_t kSmall = 64;  // blocks: a pool of less is all one sequence's
  return plan_step(running, waiting,
                   {.rows_max = options_.rows_max,
                    .sequences_max = options_.sequences_max,
                    .block_tokens = options_.block_tokens,
                    .blocks_free = pool_.free(),
                    .blocks_reserve = pool_.blocks() < kSmall ? 0 : pool_.blocks() / 8,
                    .guest_rows = guests_wait_ ? guests_.next() : 0,
                    .guest_turn = counted_.guest_rows});
}

void Engine::Impl::step() {
  StepPlan plan = this->plan();

  // Indices of the plan count through running_ and the admitted ones: settle who they are first.
  std::vector<Sequence*> sequences;
  for (const auto& sequence : running_) sequences.push_back(sequence.get());
  std::vector<SequencePtr> admitted;
  int64_t left_queue = 0;
  for (size_t i = 0; i < plan.admitted; ++i) {
    const bool answer = i < offered_.size();
    auto& place = answer ? waiting_[offered_[i]] : background_.front();
    sequences.push_back(place.get());
    admitted.push_back(std::move(place));
    if (answer)
      ++left_queue;
    else
      background_.pop_front();
  }
  std::erase(waiting_, nullptr);

  for (const size_t i : plan.preempted) {
    left_queue -= running_[i]->background ? 0 : 1;
    preempt(std::move(running_[i]));
  }
  std::erase(running_, nullptr);
  for (size_t i = 0; i < admitted.size(); ++i)  // before anybody takes blocks anew
    admit(std::move(admitted[i]), plan.cached[i]);
  for (const Chunk& chunk : plan.chunks) allocate(*sequences[chunk.sequence], chunk.rows);
  {
    const std::lock_guard lock(mutex_);
    queued_ -= left_queue;
  }

  const Stopwatch watch;
  const auto ended = compute(sequences, plan.chunks);
  charge(sequences, plan.chunks, watch.seconds());
  std::erase_if(running_, [&](const SequencePtr& sequence) {
    if (!ended.contains(sequence.get())) return false;
    sequence->release();
    return true;
  });
  settle_parted();
  publish_stats();
}

// Choices run on beside the first, as far as there are places; the others wait like preempted ones.
void Engine::Impl::settle_parted() {
  int64_t waiting = 0;
  for (auto& sequence : parted_) {
    if (std::ssize(running_) < options_.sequences_max) {
      insert_by_age(running_, std::move(sequence));
      continue;
    }
    sequence->release();
    insert_by_age(waiting_, std::move(sequence));
    ++waiting;
  }
  parted_.clear();
  const std::lock_guard lock(mutex_);
  queued_ += waiting;
}

// Gives everything back but the tokens; the sequence waits to be computed again, first in its
// queue.
void Engine::Impl::preempt(SequencePtr sequence) {
  sequence->release();
  ++counted_.preemptions;
  auto& queue = sequence->background ? background_ : waiting_;
  insert_by_age(queue, std::move(sequence));
}

// What may follow the newest token, while that is all the sequence lacks.
void Engine::Impl::guess(Sequence& sequence) {
  sequence.guess.clear();
  if (sequence.lookup_tokens == 0 || sequence.lacking() != 1 || !sequence.forks.empty()) return;
  const int64_t room = capacity() - std::ssize(sequence.tokens);
  const auto next = look_up(sequence.tokens, std::min(sequence.lookup_reach, room));
  if (next.empty()) return;
  sequence.guess.push_back(sequence.tokens.back());
  sequence.guess.insert(sequence.guess.end(), next.begin(), next.end());
}

// Is the next row's block that of others too? Of other sequences only the prompt's last block can
// be, after choices have parted: full blocks are never written again. Or it is one of the cache's,
// of which the sequence shares the first rows.
bool Engine::Impl::writes_shared(const Sequence& sequence) const {
  if (sequence.borrows) return true;
  const auto block = static_cast<size_t>(sequence.computed / options_.block_tokens);
  return sequence.computed % options_.block_tokens != 0 && pool_.holders(sequence.table[block]) > 1;
}

void Engine::Impl::allocate(Sequence& sequence, int64_t rows) {
  if (writes_shared(sequence)) {
    auto block = pool_.take();
    PLINTH_CHECK(block.has_value(), "the plan promised a block: {}", block.error().message);
    const auto last = static_cast<size_t>(sequence.computed / options_.block_tokens);
    step_.copy_block(sequence.table[last], block->block());
    sequence.table[last] = block->block();
    sequence.blocks[last] = *std::move(block);
    sequence.borrows = false;
    ++counted_.blocks_copied;
  }
  while (std::ssize(sequence.blocks) * options_.block_tokens < sequence.computed + rows) {
    auto block = pool_.take();
    PLINTH_CHECK(block.has_value(), "the plan promised a block: {}", block.error().message);
    sequence.hold(*std::move(block));
  }
}

// Runs the step and hands out its logits. Returns the sequences that ended.
std::unordered_set<const Sequence*> Engine::Impl::compute(const std::vector<Sequence*>& sequences,
                                                          const std::vector<Chunk>& chunks) {
  std::vector<Segment> segments;
  std::unordered_set<const model::Adapter*> adapters;
  for (const Chunk& chunk : chunks) {
    Sequence& sequence = *sequences[chunk.sequence];
    const auto rows = static_cast<size_t>(chunk.rows);
    sequence.answering = sequence.started && sequence.lacking() == 1;
    sequence.guess.resize(rows > 1 && !sequence.guess.empty() ? rows : 0);
    const std::span<const int32_t> tokens(sequence.tokens);
    segments.push_back({.tokens = sequence.guess.empty()
                                      ? tokens.subspan(static_cast<size_t>(sequence.computed), rows)
                                      : std::span<const int32_t>(sequence.guess),
                        .position = sequence.computed,
                        .table = sequence.table.data(),
                        .adapter = sequence.adapter.get(),
                        .first_wanted = sequence.output->first_wanted(std::ssize(tokens)),
                        .hidden = sequence.output->wants_hidden()});
    counted_.rows += chunk.rows;
    if (sequence.adapter != nullptr) {
      counted_.adapter_rows += chunk.rows;
      adapters.insert(sequence.adapter.get());
    }
  }
  counted_.step_adapters += std::ssize(adapters);
  if (!segments.empty()) ++counted_.steps;

  const Stopwatch watch;
  int64_t rows_all = 0;
  for (const Chunk& chunk : chunks) rows_all += chunk.rows;
  const auto share = [&](const Chunk& chunk) {
    return watch.seconds() * compute_pool().threads() * static_cast<double>(chunk.rows) /
           static_cast<double>(rows_all);
  };
  std::unordered_set<const Sequence*> ended;
  step_.run(segments, [&](size_t i, int64_t position, tensor::ConstMatrix logits) {
    Sequence& sequence = *sequences[chunks[i].sequence];
    if (ended.contains(&sequence)) return;
    sequence.output->spent(sequence.core_s + share(chunks[i]));
    if (hand_out(sequence, position, logits)) ended.insert(&sequence);
  });
  for (const Chunk& chunk : chunks) {
    Sequence& sequence = *sequences[chunk.sequence];
    sequence.core_s += share(chunk);
    if (!ended.contains(&sequence)) sequence.output->spent(sequence.core_s);
    if (sequence.guess.empty()) {
      sequence.computed += chunk.rows;
    } else {
      settle_guess(sequence);
    }
    if (sequence.cacheable) publish_prefix(sequence);
    for (auto& fork : parted_)
      if (fork->request == sequence.request && fork->blocks.empty()) sequence.share_with(*fork);
  }
  return ended;
}

// Returns true when the sequence has ended.
bool Engine::Impl::hand_out(Sequence& sequence, int64_t position, tensor::ConstMatrix logits) {
  if (!sequence.forks.empty()) part(sequence, position, logits);
  if (sequence.guess.empty()) return sequence.output->take(position, logits, sequence.tokens);
  // A row counts when everything up to it came true; the token it leads to says whether the next
  // one does. So the answer is the one that steps of a row each would have given.
  for (int64_t row = 0; row < logits.rows; ++row, ++position) {
    const auto at = static_cast<size_t>(position - sequence.computed);
    if (position + 1 != std::ssize(sequence.tokens) || sequence.guess[at] != sequence.tokens.back())
      return false;
    if (sequence.output->take(position, logits.slice(row, 1), sequence.tokens)) return true;
  }
  return false;
}

// The prompt's logits are there: each further choice takes its own first token from them.
void Engine::Impl::part(Sequence& sequence, int64_t position, tensor::ConstMatrix logits) {
  for (auto& fork : sequence.forks) {
    fork->tokens = sequence.tokens;
    if (!fork->output->take(position, logits, fork->tokens)) parted_.push_back(std::move(fork));
  }
  sequence.forks.clear();
}

// Rows behind the last right guess are forgotten: the next ones overwrite them. Where guesses
// fail, fewer are made.
void Engine::Impl::settle_guess(Sequence& sequence) {
  const int64_t guessed = std::ssize(sequence.guess) - 1;
  const int64_t reached = std::ssize(sequence.tokens) - 1;
  const int64_t right = std::min(guessed, reached - sequence.computed - 1);
  sequence.computed += 1 + right;
  sequence.lookup_reach =
      std::min(sequence.lookup_tokens, right == guessed ? 2 * guessed : right + 1);
  counted_.lookup_tokens += guessed;
  counted_.lookup_accepted += right;
  sequence.guess.clear();
}

void Engine::Impl::publish_stats() {
  const std::lock_guard lock(mutex_);
  stats_.waiting = std::ssize(waiting_) + std::ssize(background_) + std::ssize(loading_);
  stats_.running = std::ssize(running_);
  stats_.kv_blocks_free = pool_.free();
  stats_.steps = counted_.steps;
  stats_.rows = counted_.rows;
  stats_.adapter_rows = counted_.adapter_rows;
  stats_.step_adapters = counted_.step_adapters;
  stats_.prefix_hits_tokens = counted_.prefix_hits_tokens;
  stats_.preemptions = counted_.preemptions;
  stats_.guest_rows = counted_.guest_rows;
  stats_.step_seconds = counted_.step_seconds;
  stats_.seconds_left = counted_.seconds_left;
  stats_.blocks_copied = counted_.blocks_copied;
  stats_.lookup_tokens = counted_.lookup_tokens;
  stats_.lookup_accepted = counted_.lookup_accepted;
}

}  // namespace plinth::engine
