// The engine thread: what sequences take from the prefix cache, and what it gets from them.
#include <algorithm>
#include <span>
#include <utility>

#include "core/check.h"
#include "engine/engine_impl.h"
#include "engine/followers.h"

namespace plinth::engine {
namespace {

// Of a step's rows: fewer tokens are sooner computed twice than waited for.
constexpr int64_t kSharedPart = 4;

}  // namespace

WaitingState Engine::Impl::waiting_state(const Sequence& sequence) const {
  const std::span<const int32_t> tokens(sequence.tokens);
  const auto reusable = static_cast<size_t>(sequence.reusable());
  return {.tokens = std::ssize(sequence.tokens),
          .cached = cache_.known(sequence.scope, tokens.first(reusable))};
}

// Those who would compute what another one of this step computes; `waiting` are the offered answers
// and the first of the scores.
void Engine::Impl::mark_followers(std::vector<RunningState>& running,
                                  std::vector<WaitingState>& waiting) const {
  std::vector<Prompt> prompts;
  const auto add = [&](const Sequence& sequence, int64_t computed) {
    prompts.push_back({.scope = sequence.cacheable ? sequence.scope.scope() : std::string_view(),
                       .tokens = sequence.tokens,
                       .computed = computed,
                       .reusable = sequence.reusable()});
  };
  for (const auto& sequence : running_) add(*sequence, sequence->computed);
  for (size_t i = 0; i < waiting.size(); ++i)
    add(i < offered_.size() ? *waiting_[offered_[i]] : *background_[i - offered_.size()],
        waiting[i].cached);
  const auto found = followers(prompts, options_.block_tokens,
                               std::max(options_.block_tokens, options_.rows_max / kSharedPart));
  for (size_t i = 0; i < running.size(); ++i) running[i].follows = found[i];
  for (size_t i = 0; i < waiting.size(); ++i) waiting[i].follows = found[running.size() + i];
}

// Starts from `cached` tokens that the prefix cache knows.
void Engine::Impl::admit(SequencePtr sequence, int64_t cached) {
  if (!sequence->started) {
    sequence->started = true;
    sequence->output->found_cached(0);
    for (auto& fork : sequence->forks) {
      fork->started = true;
      fork->output->found_cached(0);
    }
  }
  take_known(*sequence, cached);
  insert_by_age(running_, std::move(sequence));
}

// Its first `known` tokens are in blocks of the prefix cache: they take the place of what it has
// behind the last block that the cache has from it, or for it.
void Engine::Impl::take_known(Sequence& sequence, int64_t known) {
  const int64_t size = options_.block_tokens;
  const int64_t full = sequence.blocks_known * size;
  while (std::ssize(sequence.blocks) > sequence.blocks_known) {
    sequence.blocks.pop_back();
    sequence.table.pop_back();
  }
  const auto more = std::span<const int32_t>(sequence.tokens)
                        .subspan(static_cast<size_t>(full), static_cast<size_t>(known - full));
  for (auto& block : cache_.find(sequence.chain, more)) sequence.hold(std::move(block));
  PLINTH_CHECK(std::ssize(sequence.blocks) == (known + size - 1) / size,
               "{} blocks hold {} cached tokens", sequence.blocks.size(), known);
  // What it had before it was preempted is not found, it is got back.
  const int64_t found = std::max<int64_t>(0, known - std::max(sequence.computed, sequence.reached));
  sequence.blocks_known = known / size;
  sequence.borrows = known % size != 0;
  sequence.computed = known;
  sequence.output->found_cached(found);
  for (auto& fork : sequence.forks) fork->output->found_cached(found);
  counted_.prefix_hits_tokens += found;
}

// Goes on from what others have computed since the sequence was admitted.
void Engine::Impl::catch_up(Sequence& sequence) {
  const int64_t reusable = sequence.reusable(), size = options_.block_tokens;
  if (sequence.lacking() <= 1 || sequence.computed >= reusable) return;
  const int64_t full = sequence.blocks_known * size;
  const auto tokens = std::span<const int32_t>(sequence.tokens)
                          .subspan(static_cast<size_t>(full), static_cast<size_t>(reusable - full));
  int64_t known = full + cache_.known(sequence.chain, tokens);
  // Part of a block costs a copy, and one more block until that is made.
  const bool within_one = sequence.computed % size != 0 && known - sequence.computed < size;
  if (within_one || pool_.free() <= std::ssize(running_)) known -= known % size;
  if (known > sequence.computed) take_known(sequence, known);
}

// Tells the prefix cache about the blocks that became full.
void Engine::Impl::publish_prefix(Sequence& sequence) {
  const int64_t size = options_.block_tokens;
  const std::span<const int32_t> tokens(sequence.tokens);
  for (int64_t& n = sequence.blocks_known; (n + 1) * size <= sequence.computed; ++n)
    cache_.add(sequence.chain,
               tokens.subspan(static_cast<size_t>(n * size), static_cast<size_t>(size)),
               sequence.table[static_cast<size_t>(n)]);
}

}  // namespace plinth::engine
