// The engine thread: takes in what other threads bring, and ends what is not wanted any more.
#include <algorithm>
#include <utility>

#include "core/clock.h"
#include "engine/engine_impl.h"

namespace plinth::engine {

// Takes in what other threads brought; sleeps while there is nothing to do. False: stop.
bool Engine::Impl::absorb(const std::stop_token& stop) {
  std::unordered_set<RequestId> cancels;
  std::vector<SequencePtr> fresh;
  bool adapters_changed = false;
  {
    std::unique_lock lock(mutex_);
    const bool idle = running_.empty() && waiting_.empty() && background_.empty();
    const auto called = [this] {
      return !inbox_.empty() || !cancels_.empty() || adapters_changed_;
    };
    if (idle) urgent_.reset();
    while (idle && !interleaved_ && !called() && !stop.stop_requested()) {
      lock.unlock();
      interleave();
      lock.lock();
    }
    if (idle) {
      const Stopwatch watch;
      changed_.wait(lock, stop, called);
      rested(watch.seconds());
    }
    if (stop.stop_requested()) return false;
    cancels.swap(cancels_);
    fresh.swap(inbox_);
    adapters_changed = std::exchange(adapters_changed_, false);
    stats_.waiting += std::ssize(fresh);  // until publish_stats() counts anew
  }
  if (!urgent_) urgent_.emplace();
  for (auto& sequence : fresh) {
    has_deadlines_ = has_deadlines_ || sequence->deadline_ns != 0;
    auto& queue = sequence->background ? background_ : sequence->pin ? loading_ : waiting_;
    adapters_changed |= static_cast<bool>(sequence->pin);
    queue.push_back(std::move(sequence));
  }
  if (!cancels.empty()) apply_cancels(cancels);
  if (adapters_changed) settle_loading();
  if (has_deadlines_) apply_deadlines();
  return true;
}

void Engine::Impl::apply_cancels(const std::unordered_set<RequestId>& ids) {
  end_where([&](const Sequence& sequence) { return ids.contains(sequence.request); },
            {Code::kCancelled, "cancelled"});
}

// Returns how many ended.
int64_t Engine::Impl::end_where(const std::function<bool(const Sequence&)>& wanted,
                                const Error& error) {
  const auto ends = [&](const SequencePtr& sequence) {
    if (!wanted(*sequence)) return false;
    sequence->abort(error);
    return true;
  };
  const auto ran = static_cast<int64_t>(std::erase_if(running_, ends));
  const auto waited =
      static_cast<int64_t>(std::erase_if(waiting_, ends) + std::erase_if(loading_, ends));
  if (ran + waited == 0) return 0;
  {
    const std::lock_guard lock(mutex_);
    queued_ -= waited;
  }
  publish_stats();
  return ran + waited;
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
      sequence->abort(fits.error());
      sequence.reset();
      ++failed;
      continue;
    }
    for (auto& fork : sequence->forks) fork->adapter = *adapter;
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

void Engine::Impl::abort_all() {
  {
    const std::lock_guard lock(mutex_);
    for (auto& sequence : inbox_) waiting_.push_back(std::move(sequence));
    for (auto& sequence : loading_) waiting_.push_back(std::move(sequence));
    inbox_.clear();
  }
  const auto abort = [](const SequencePtr& sequence) {
    sequence->abort({Code::kCancelled, "the engine is shutting down"});
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
