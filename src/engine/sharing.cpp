// The engine thread: who gets how much of a step, and of the machine.
#include <algorithm>
#include <chrono>
#include <map>
#include <string_view>
#include <thread>

#include "core/clock.h"
#include "engine/engine_impl.h"

namespace plinth::engine {
void Engine::Impl::apply_deadlines() {
  const int64_t now_ns = system_clock().monotonic_ns();
  end_where(
      [&](const Sequence& sequence) {
        return sequence.deadline_ns != 0 && sequence.deadline_ns < now_ns;
      },
      {Code::kDeadlineExceeded, "the answer was not complete at its deadline"});
}

// Who has work, and who stands back behind whom.
void Engine::Impl::mark_guests() {
  std::vector<const std::string*> active;
  const auto add = [&](const Sequence& sequence) {
    if (sequence.tenant.empty()) return;
    // Tenants are few, their requests many.
    if (std::ranges::none_of(active, [&](const auto* known) { return *known == sequence.tenant; }))
      active.push_back(&sequence.tenant);
  };
  running_tenants_.clear();
  for (const auto& sequence : running_) {
    add(*sequence);
    if (!sequence->tenant.empty()) running_tenants_.push_back(&sequence->tenant);
  }
  for (const auto& sequence : waiting_) add(*sequence);
  fair_.set_active(active);
  guests_wait_ = false;
  for (const auto& sequence : running_) {
    sequence->guest = stands_back(*sequence);
    guests_wait_ = guests_wait_ || sequence->guest;
  }
}

bool Engine::Impl::stands_back(const Sequence& sequence) const {
  return !sequence.tenant.empty() && fair_.ahead_of(sequence.tenant, running_tenants_);
}

// The waiting answers that may be admitted, in their order. A tenant leaves the last places, as it
// leaves the last blocks, to others: they need not wait until one of its answers has ended.
void Engine::Impl::offer_waiting(std::vector<WaitingState>& waiting, size_t places) {
  offered_.clear();
  if (waiting_.empty() || places == 0) return;
  std::map<std::string_view, int64_t> running;
  for (const std::string* tenant : running_tenants_) ++running[*tenant];
  std::vector<FairShare::Waiting> queue;
  for (const auto& sequence : waiting_)
    queue.push_back({.tenant = &sequence->tenant,
                     .priority = sequence->priority,
                     .tokens = std::ssize(sequence->tokens)});
  const int64_t places_max = options_.sequences_max - options_.sequences_max / 8;
  for (const size_t i : fair_.order(queue, queue.size())) {
    if (offered_.size() == places) return;
    Sequence& sequence = *waiting_[i];
    const int64_t others = sequence.tenant.empty() ? 0 : running[sequence.tenant]++;
    if (others >= places_max) continue;
    sequence.guest = stands_back(sequence);
    guests_wait_ = guests_wait_ || sequence.guest;
    waiting.push_back(waiting_state(sequence));
    waiting.back().guest = sequence.guest;
    waiting.back().more = others > 0;
    offered_.push_back(i);
  }
}

// What the step was for whom, and what guests made of its time.
void Engine::Impl::charge(const std::vector<Sequence*>& sequences, const std::vector<Chunk>& chunks,
                          double seconds) {
  int64_t guest_rows = 0, others_prompts = 0, answers = 0;
  for (const Chunk& chunk : chunks) {
    const Sequence& sequence = *sequences[chunk.sequence];
    const bool answer = sequence.answering;
    (sequence.guest ? guest_rows : answer ? answers : others_prompts) += chunk.rows;
    if (!sequence.tenant.empty())
      fair_.charge(sequence.tenant, answer ? 0 : chunk.rows, answer ? chunk.rows : 0);
  }
  counted_.guest_rows += guest_rows;
  if (guests_wait_ && others_prompts == 0 && answers > 0) guests_.took(seconds, guest_rows);
}

void Engine::Impl::leave_time(double step_seconds) {
  counted_.step_seconds += step_seconds;
  if (standing_back() == 0) {
    time_left_.clear();
    return;
  }
  const double owed_s = time_left_.owed_after(step_seconds);
  if (owed_s == 0) return;
  const Stopwatch watch;
  urgent_.reset();
  std::this_thread::sleep_for(std::chrono::duration<double>(owed_s));
  urgent_.emplace();
  const double left_s = watch.seconds();
  counted_.seconds_left += left_s;
  time_left_.had(left_s);
}

// The engine had no work for so long.
void Engine::Impl::rested(double seconds) {
  if (standing_back() > 0) time_left_.had(seconds);
}

}  // namespace plinth::engine
