// The engine's two halves meet here: what any thread may call (engine.cpp) and what the engine
// thread does (loop.cpp).
//
// Other threads hand sequences and cancellations over under the mutex; the engine thread takes them
// in between steps. Everything above the mutex belongs to the engine thread once it runs.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "core/stand_back.h"
#include "engine/adapter_pool.h"
#include "engine/block_pool.h"
#include "engine/engine.h"
#include "engine/fair_share.h"
#include "engine/guest_rows.h"
#include "engine/output.h"
#include "engine/prefix_cache.h"
#include "engine/scheduler.h"
#include "engine/sequence.h"
#include "engine/step.h"
#include "engine/time_left.h"

namespace plinth::engine {

using SequencePtr = std::unique_ptr<Sequence>;

// Keeps a list of sequences in order of age.
template <typename List>
void insert_by_age(List& list, SequencePtr sequence) {
  const auto place =
      std::ranges::upper_bound(list, sequence->id, {}, [](const SequencePtr& s) { return s->id; });
  list.insert(place, std::move(sequence));
}

class Engine::Impl {
 public:
  Impl(std::shared_ptr<const model::Model> model, const EngineOptions& options, int32_t blocks);
  ~Impl();

  const model::Model& model() const { return *model_; }

  AdapterPool& adapters() { return *adapters_; }

  Result<RequestId> submit(Request request);
  void cancel(RequestId id);
  Result<std::vector<std::vector<float>>> score(std::vector<ScoreRequest> requests);
  Result<RequestId> read(ReadRequest request);
  Result<std::vector<float>> logits(std::vector<int32_t> tokens,
                                    std::shared_ptr<const model::Adapter> adapter);
  EngineStats stats() const;

 private:
  // Any thread.
  int64_t capacity() const;
  Status check_tokens(const std::vector<int32_t>& tokens) const;
  Status check_adapter(const model::Adapter* adapter) const;
  SequencePtr make_sequence(std::vector<int32_t> tokens,
                            std::shared_ptr<const model::Adapter> adapter,
                            const AdapterSourcePtr& registered, const std::string& salt,
                            std::unique_ptr<Output> output) const;
  void enqueue(std::vector<SequencePtr> sequences);
  // Of the request's grammar; none without one.
  Result<std::optional<grammar::Matcher>> matcher_of(const Request& request);

  // Engine thread.
  void work(const std::stop_token& stop);
  bool absorb(const std::stop_token& stop);
  void apply_cancels(const std::unordered_set<RequestId>& ids);
  void apply_deadlines();
  int64_t end_where(const std::function<bool(const Sequence&)>& wanted, const Error& error);
  void settle_loading();
  void interleave();
  void step();
  StepPlan plan();
  void offer_waiting(std::vector<WaitingState>& waiting, size_t places);
  void mark_followers(std::vector<RunningState>& running, std::vector<WaitingState>& waiting) const;
  WaitingState waiting_state(const Sequence& sequence) const;
  void mark_guests();
  bool stands_back(const Sequence& sequence) const;
  void charge(const std::vector<Sequence*>& sequences, const std::vector<Chunk>& chunks,
              double seconds);
  void leave_time(double step_seconds);
  void rested(double seconds);
  void preempt(SequencePtr sequence);
  void admit(SequencePtr sequence, int64_t cached);
  void take_known(Sequence& sequence, int64_t known);
  void catch_up(Sequence& sequence);
  void guess(Sequence& sequence);
  void allocate(Sequence& sequence, int64_t rows);
  bool hand_out(Sequence& sequence, int64_t position, tensor::ConstMatrix logits);
  void part(Sequence& sequence, int64_t position, tensor::ConstMatrix logits);
  void settle_parted();
  void settle_guess(Sequence& sequence);
  bool writes_shared(const Sequence& sequence) const;
  std::unordered_set<const Sequence*> compute(const std::vector<Sequence*>& sequences,
                                              const std::vector<Chunk>& chunks);
  void publish_prefix(Sequence& sequence);
  void publish_stats();
  void abort_all();

  std::shared_ptr<const model::Model> model_;  // as opened; shared with the trainer
  EngineOptions options_;
  std::once_flag vocabulary_once_;
  std::shared_ptr<const grammar::Vocabulary> vocabulary_;  // made for the first grammar
  std::unique_ptr<AdapterPool> adapters_;

  // Owned by the engine thread once it runs. Order matters: sequences die before the pool.
  BlockPool pool_;
  PrefixCache cache_;
  model::Interleaving interleaving_;  // the model that steps compute with
  bool interleaved_ = false;          // nothing is left to turn
  StepRunner step_;
  std::vector<SequencePtr> running_;    // the oldest first
  std::deque<SequencePtr> waiting_;     // the oldest first
  std::deque<SequencePtr> background_;  // scoring that waits
  std::vector<SequencePtr> parted_;     // choices that go their own way after this step
  std::deque<SequencePtr> loading_;     // answers whose adapter is on its way, the oldest first
  std::vector<size_t> offered_;         // places in waiting_ that the plan may admit, in order
  FairShare fair_;
  GuestRows guests_;
  std::vector<const std::string*> running_tenants_;  // of the step that is planned
  bool guests_wait_ = false;                         // somebody stands back in this step
  bool has_deadlines_ = false;                       // some sequence ever had one
  std::optional<Urgent> urgent_;                     // while there is work
  TimeLeft time_left_;                               // to threads that stand back
  EngineStats counted_;                              // what only grows

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable_any changed_;
  std::vector<SequencePtr> inbox_;
  std::unordered_set<RequestId> cancels_;
  bool adapters_changed_ = false;  // a load ended: loading_ wants a look
  RequestId last_id_ = 0;
  int64_t queued_ = 0;  // answers that wait: in inbox_, loading_ or waiting_
  EngineStats stats_;

  std::jthread thread_;
};

}  // namespace plinth::engine
