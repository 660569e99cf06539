// The engine thread: takes in work, plans a step, carries it out, hands out what came of it.
#include <algorithm>
#include <span>
#include <utility>

#include "core/check.h"
#include "engine/engine_impl.h"

namespace plinth::engine {
namespace {

// Keeps a list of sequences in order of age.
template <typename List>
void insert_by_age(List& list, SequencePtr sequence) {
  const auto place =
      std::ranges::upper_bound(list, sequence->id, {}, [](const SequencePtr& s) { return s->id; });
  list.insert(place, std::move(sequence));
}

}  // namespace

void Engine::Impl::work(const std::stop_token& stop) {
  while (absorb(stop)) step();
  abort_all();
}

// Takes in what other threads brought; sleeps while there is nothing to do. False: stop.
bool Engine::Impl::absorb(const std::stop_token& stop) {
  std::unordered_set<RequestId> cancels;
  std::vector<SequencePtr> fresh;
  bool adapters_changed = false;
  {
    std::unique_lock lock(mutex_);
    const bool idle = running_.empty() && waiting_.empty() && background_.empty();
    if (idle)
      changed_.wait(lock, stop,
                    [this] { return !inbox_.empty() || !cancels_.empty() || adapters_changed_; });
    if (stop.stop_requested()) return false;
    cancels.swap(cancels_);
    fresh.swap(inbox_);
    adapters_changed = std::exchange(adapters_changed_, false);
    stats_.waiting += std::ssize(fresh);  // until publish_stats() counts anew
  }
  for (auto& sequence : fresh) {
    auto& queue = sequence->background ? background_ : sequence->pin ? loading_ : waiting_;
    adapters_changed |= static_cast<bool>(sequence->pin);
    queue.push_back(std::move(sequence));
  }
  if (!cancels.empty()) apply_cancels(cancels);
  if (adapters_changed) settle_loading();
  return true;
}

void Engine::Impl::apply_cancels(const std::unordered_set<RequestId>& ids) {
  const auto cancelled = [&](const SequencePtr& sequence) {
    if (!ids.contains(sequence->id)) return false;
    sequence->output->abort({Code::kCancelled, "cancelled"});
    sequence->release();
    return true;
  };
  std::erase_if(running_, cancelled);
  const auto waited =
      static_cast<int64_t>(std::erase_if(waiting_, cancelled) + std::erase_if(loading_, cancelled));
  {
    const std::lock_guard lock(mutex_);
    queued_ -= waited;
  }
  publish_stats();
}

// Sequences whose adapter has come join the queue where their age puts them; where loading failed,
// they end.
void Engine::Impl::settle_loading() {
  int64_t failed = 0;
  for (auto& sequence : loading_) {
    auto adapter = sequence->pin.get();
    if (adapter && *adapter == nullptr) continue;
    Status fits = adapter ? check_adapter(adapter->get()) : Status(adapter.error());
    if (!fits) {
      sequence->output->abort(std::move(fits).error());
      sequence.reset();
      ++failed;
      continue;
    }
    sequence->adapter = *std::move(adapter);
    insert_by_age(waiting_, std::move(sequence));
  }
  std::erase(loading_, nullptr);
  {
    const std::lock_guard lock(mutex_);
    queued_ -= failed;
  }
  publish_stats();
}

StepPlan Engine::Impl::plan() {
  std::vector<RunningState> running;
  int64_t scoring = 0;
  for (const auto& sequence : running_) {
    RunningState state{.tokens = std::ssize(sequence->tokens),
                       .computed = sequence->computed,
                       .blocks = std::ssize(sequence->blocks)};
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
  const auto offer = [&](const std::deque<SequencePtr>& queue, size_t count) {
    for (size_t i = 0; i < std::min(count, queue.size()); ++i) {
      const Sequence& sequence = *queue[i];
      const std::span<const int32_t> tokens(sequence.tokens);
      const auto reusable = static_cast<size_t>(sequence.reusable());
      waiting.push_back(
          {.tokens = std::ssize(sequence.tokens),
           .cached = cache_.known(sequence.scope, tokens.first(reusable)) * options_.block_tokens});
    }
  };
  offer(waiting_, places);
  offer(background_, std::min(scores, places - waiting.size()));

  return plan_step(running, waiting,
                   {.rows_max = options_.rows_max,
                    .sequences_max = options_.sequences_max,
                    .block_tokens = options_.block_tokens,
                    .blocks_free = pool_.free()});
}

void Engine::Impl::step() {
  StepPlan plan = this->plan();

  // Indices of the plan count through running_ and the admitted ones: settle who they are first.
  std::vector<Sequence*> sequences;
  for (const auto& sequence : running_) sequences.push_back(sequence.get());
  std::vector<SequencePtr> admitted;
  int64_t left_queue = 0;
  for (size_t i = 0; i < plan.admitted; ++i) {
    auto& queue = waiting_.empty() ? background_ : waiting_;
    left_queue += waiting_.empty() ? 0 : 1;
    sequences.push_back(queue.front().get());
    admitted.push_back(std::move(queue.front()));
    queue.pop_front();
  }

  for (const size_t i : plan.preempted) {
    left_queue -= running_[i]->background ? 0 : 1;
    preempt(std::move(running_[i]));
  }
  std::erase(running_, nullptr);
  for (auto& sequence : admitted) admit(std::move(sequence));  // before anybody takes blocks anew
  for (const Chunk& chunk : plan.chunks) allocate(*sequences[chunk.sequence], chunk.rows);
  {
    const std::lock_guard lock(mutex_);
    queued_ -= left_queue;
  }

  const auto ended = compute(sequences, plan.chunks);
  std::erase_if(running_, [&](const SequencePtr& sequence) {
    if (!ended.contains(sequence.get())) return false;
    sequence->release();
    return true;
  });
  publish_stats();
}

// Gives everything back but the tokens; the sequence waits to be computed again, first in its
// queue.
void Engine::Impl::preempt(SequencePtr sequence) {
  sequence->release();
  ++counted_.preemptions;
  auto& queue = sequence->background ? background_ : waiting_;
  insert_by_age(queue, std::move(sequence));
}

// Starts from what the prefix cache knows.
void Engine::Impl::admit(SequencePtr sequence) {
  const auto reusable = static_cast<size_t>(sequence->reusable());
  const std::span<const int32_t> tokens(sequence->tokens);
  for (auto& block : cache_.find(sequence->chain, tokens.first(reusable)))
    sequence->hold(std::move(block));
  sequence->blocks_known = std::ssize(sequence->blocks);
  sequence->computed = sequence->blocks_known * options_.block_tokens;
  if (!sequence->started) {
    sequence->started = true;
    sequence->output->found_cached(sequence->computed);
    counted_.prefix_hits_tokens += sequence->computed;
  }
  insert_by_age(running_, std::move(sequence));
}

void Engine::Impl::allocate(Sequence& sequence, int64_t rows) {
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
  for (const Chunk& chunk : chunks) {
    const Sequence& sequence = *sequences[chunk.sequence];
    const std::span<const int32_t> tokens(sequence.tokens);
    segments.push_back({.tokens = tokens.subspan(static_cast<size_t>(sequence.computed),
                                                 static_cast<size_t>(chunk.rows)),
                        .position = sequence.computed,
                        .table = sequence.table.data(),
                        .adapter = sequence.adapter.get(),
                        .first_wanted = sequence.output->first_wanted(std::ssize(tokens))});
    counted_.rows += chunk.rows;
  }
  if (!segments.empty()) ++counted_.steps;

  std::unordered_set<const Sequence*> ended;
  step_.run(segments, [&](size_t i, int64_t position, tensor::ConstMatrix logits) {
    Sequence& sequence = *sequences[chunks[i].sequence];
    if (ended.contains(&sequence)) return;
    if (sequence.output->take(position, logits, sequence.tokens)) ended.insert(&sequence);
  });
  for (const Chunk& chunk : chunks) {
    Sequence& sequence = *sequences[chunk.sequence];
    sequence.computed += chunk.rows;
    if (sequence.cacheable) publish_prefix(sequence);
  }
  return ended;
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

void Engine::Impl::publish_stats() {
  const std::lock_guard lock(mutex_);
  stats_.waiting = std::ssize(waiting_) + std::ssize(background_) + std::ssize(loading_);
  stats_.running = std::ssize(running_);
  stats_.kv_blocks_free = pool_.free();
  stats_.steps = counted_.steps;
  stats_.rows = counted_.rows;
  stats_.prefix_hits_tokens = counted_.prefix_hits_tokens;
  stats_.preemptions = counted_.preemptions;
}

void Engine::Impl::abort_all() {
  {
    const std::lock_guard lock(mutex_);
    for (auto& sequence : inbox_) waiting_.push_back(std::move(sequence));
    for (auto& sequence : loading_) waiting_.push_back(std::move(sequence));
    inbox_.clear();
  }
  const auto abort = [](const SequencePtr& sequence) {
    sequence->output->abort({Code::kCancelled, "the engine is shutting down"});
    sequence->release();
  };
  std::ranges::for_each(running_, abort);
  std::ranges::for_each(waiting_, abort);
  std::ranges::for_each(background_, abort);
  running_.clear();
  waiting_.clear();
  background_.clear();
  loading_.clear();
}

}  // namespace plinth::engine
