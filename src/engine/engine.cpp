#include "engine/engine.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <unordered_set>

#include "engine/answer.h"
#include "engine/batch_output.h"
#include "engine/block_pool.h"
#include "engine/prefix_cache.h"
#include "engine/scheduler.h"
#include "engine/sequence.h"
#include "engine/step.h"

namespace plinth::engine {
namespace {

using SequencePtr = std::unique_ptr<Sequence>;

constexpr int64_t kLogitsBytesMax = int64_t{1} << 30;

// Keeps a list of sequences in order of age.
template <typename List>
void insert_by_age(List& list, SequencePtr sequence) {
  const auto place =
      std::ranges::upper_bound(list, sequence->id, {}, [](const SequencePtr& s) { return s->id; });
  list.insert(place, std::move(sequence));
}

Status check_options(const EngineOptions& o) {
  if (o.block_tokens < 1 || o.block_tokens > 1024)
    return invalid("block_tokens {} is outside 1..1024", o.block_tokens);
  if (o.rows_max < 1 || o.rows_max > 65536)
    return invalid("rows_max {} is outside 1..65536", o.rows_max);
  if (o.sequences_max < 1) return invalid("sequences_max {} is less than 1", o.sequences_max);
  if (o.queue_max < 1) return invalid("queue_max {} is less than 1", o.queue_max);
  return {};
}

}  // namespace

class Engine::Impl {
 public:
  Impl(std::shared_ptr<const model::Model> model, const EngineOptions& options, int32_t blocks)
      : model_(std::move(model)),
        options_(options),
        pool_(blocks),
        cache_(pool_, options.block_tokens),
        step_(*model_, {.rows_max = options.rows_max,
                        .block_tokens = options.block_tokens,
                        .blocks = blocks}) {
    // More running sequences than rows would leave the youngest without a row in every step.
    options_.sequences_max = std::min(options_.sequences_max, options_.rows_max);
    stats_.kv_blocks = stats_.kv_blocks_free = blocks;
    stats_.memory_bytes = step_.memory_bytes();
    thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
  }

  ~Impl() {
    thread_.request_stop();
    thread_.join();
  }

  const model::Model& model() const { return *model_; }

  Result<RequestId> submit(Request request);
  void cancel(RequestId id);
  Result<std::vector<std::vector<float>>> score(std::vector<ScoreRequest> requests);
  Result<std::vector<float>> logits(std::vector<int32_t> tokens,
                                    std::shared_ptr<const model::Adapter> adapter);
  EngineStats stats() const;

 private:
  // Any thread.
  int64_t capacity() const;
  Status check_tokens(const std::vector<int32_t>& tokens) const;
  Status check_adapter(const model::Adapter* adapter) const;
  SequencePtr make_sequence(std::vector<int32_t> tokens,
                            std::shared_ptr<const model::Adapter> adapter, const std::string& salt,
                            std::unique_ptr<Output> output) const;
  void enqueue(std::vector<SequencePtr> sequences);
  Result<std::optional<grammar::Matcher>> matcher_of(const Request& request);

  // Engine thread.
  void work(const std::stop_token& stop);
  bool absorb(const std::stop_token& stop);
  void apply_cancels(const std::unordered_set<RequestId>& ids);
  void step();
  StepPlan plan();
  void preempt(SequencePtr sequence);
  void admit(SequencePtr sequence);
  void allocate(Sequence& sequence, int64_t rows);
  std::unordered_set<const Sequence*> compute(const std::vector<Sequence*>& sequences,
                                              const std::vector<Chunk>& chunks);
  void publish_prefix(Sequence& sequence);
  void publish_stats();
  void abort_all();

  std::shared_ptr<const model::Model> model_;  // shared with requests in flight and the trainer
  EngineOptions options_;
  std::once_flag vocabulary_once_;
  std::shared_ptr<const grammar::Vocabulary> vocabulary_;  // made for the first grammar

  // Owned by the engine thread once it runs. Order matters: sequences die before the pool.
  BlockPool pool_;
  PrefixCache cache_;
  StepRunner step_;
  std::vector<SequencePtr> running_;    // the oldest first
  std::deque<SequencePtr> waiting_;     // the oldest first
  std::deque<SequencePtr> background_;  // scoring that waits
  EngineStats counted_;                 // what only grows

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable_any changed_;
  std::vector<SequencePtr> inbox_;
  std::unordered_set<RequestId> cancels_;
  RequestId last_id_ = 0;
  int64_t queued_ = 0;  // answers that wait, in inbox or queue
  EngineStats stats_;

  std::jthread thread_;
};

// --- any thread ---------------------------------------------------------------------------------

// Tokens of one sequence that context and KV cache can hold.
int64_t Engine::Impl::capacity() const {
  return std::min(model_->config().context, pool_.blocks() * options_.block_tokens);
}

Status Engine::Impl::check_tokens(const std::vector<int32_t>& tokens) const {
  if (tokens.empty()) return invalid("the prompt has no tokens");
  if (std::ssize(tokens) > capacity())
    return invalid("{} tokens do not fit: the context holds {}, the KV cache {}", tokens.size(),
                   model_->config().context, pool_.blocks() * options_.block_tokens);
  const int64_t vocabulary = model_->config().vocabulary;
  for (size_t i = 0; i < tokens.size(); ++i)
    if (tokens[i] < 0 || tokens[i] >= vocabulary)
      return invalid("token {} at position {} is outside 0..{}", tokens[i], i, vocabulary - 1);
  return {};
}

Status Engine::Impl::check_adapter(const model::Adapter* adapter) const {
  if (adapter != nullptr && std::ssize(adapter->layers) != model_->config().layers)
    return invalid("adapter {} has {} layers, the base {}", adapter->name, adapter->layers.size(),
                   model_->config().layers);
  return {};
}

SequencePtr Engine::Impl::make_sequence(std::vector<int32_t> tokens,
                                        std::shared_ptr<const model::Adapter> adapter,
                                        const std::string& salt,
                                        std::unique_ptr<Output> output) const {
  auto sequence = std::make_unique<Sequence>();
  sequence->tokens = std::move(tokens);
  sequence->output = std::move(output);
  sequence->cacheable = options_.prefix_cache && (adapter == nullptr || !adapter->digest.empty());
  sequence->scope = cache_.start(model_->digest(), adapter == nullptr ? "" : adapter->digest, salt);
  sequence->chain = sequence->scope;
  sequence->adapter = std::move(adapter);
  return sequence;
}

void Engine::Impl::enqueue(std::vector<SequencePtr> sequences) {
  {
    const std::lock_guard lock(mutex_);
    for (auto& sequence : sequences) {
      sequence->id = ++last_id_;
      inbox_.push_back(std::move(sequence));
    }
  }
  changed_.notify_one();
}

Result<std::optional<grammar::Matcher>> Engine::Impl::matcher_of(const Request& request) {
  if (request.grammar == nullptr) return std::optional<grammar::Matcher>();
  std::call_once(vocabulary_once_,
                 [this] { vocabulary_ = grammar::Vocabulary::create(model_->tokenizer()); });
  PLINTH_TRY(auto matcher, grammar::Matcher::create(request.grammar, vocabulary_));
  return std::optional<grammar::Matcher>(std::move(matcher));
}

Result<RequestId> Engine::Impl::submit(Request request) {
  PLINTH_TRY(check_tokens(request.prompt));
  PLINTH_TRY(check_adapter(request.adapter.get()));
  PLINTH_TRY(request.sampling.check());
  if (request.tokens_max < 1) return invalid("tokens_max {} is less than 1", request.tokens_max);
  if (!request.sink) return invalid("the request has no sink");
  const int64_t vocabulary = model_->config().vocabulary;
  for (const auto& [id, bias] : request.sampling.logit_bias)
    if (id < 0 || id >= vocabulary)
      return invalid("logit_bias token {} is outside 0..{}", id, vocabulary - 1);

  PLINTH_TRY(auto matcher, matcher_of(request));

  const int64_t room = std::max<int64_t>(1, capacity() - std::ssize(request.prompt));
  const int64_t tokens_max = std::min(request.tokens_max, room);
  std::vector<int32_t> prompt = std::move(request.prompt);
  auto adapter = request.adapter;
  const std::string salt = request.cache_salt;
  auto output = std::make_unique<AnswerOutput>(model_->tokenizer(), std::move(request), prompt,
                                               tokens_max, std::move(matcher));
  auto sequence = make_sequence(std::move(prompt), std::move(adapter), salt, std::move(output));
  RequestId id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (queued_ >= options_.queue_max)
      return exhausted("{} requests are waiting, the queue holds {}", queued_, options_.queue_max);
    ++queued_;
    id = sequence->id = ++last_id_;
    inbox_.push_back(std::move(sequence));
  }
  changed_.notify_one();
  return id;
}

void Engine::Impl::cancel(RequestId id) {
  {
    const std::lock_guard lock(mutex_);
    cancels_.insert(id);
  }
  changed_.notify_one();
}

Result<std::vector<std::vector<float>>> Engine::Impl::score(std::vector<ScoreRequest> requests) {
  const auto batch = std::make_shared<Batch>(requests.size());
  std::vector<SequencePtr> sequences;
  for (size_t i = 0; i < requests.size(); ++i) {
    ScoreRequest& request = requests[i];
    PLINTH_TRY(check_tokens(request.tokens));
    PLINTH_TRY(check_adapter(request.adapter.get()));
    const int64_t size = std::ssize(request.tokens);
    if (request.first_scored < 1 || request.first_scored > size)
      return invalid("first_scored {} is outside 1..{}", request.first_scored, size);
    if (request.first_scored == size) {
      batch->done();
      continue;
    }
    auto output = std::make_unique<ScoreOutput>(batch, i, request.tokens, request.first_scored);
    request.tokens.pop_back();
    sequences.push_back(make_sequence(std::move(request.tokens), std::move(request.adapter), "",
                                      std::move(output)));
    sequences.back()->background = true;
  }
  if (requests.empty()) return std::vector<std::vector<float>>();
  enqueue(std::move(sequences));
  return batch->wait();
}

Result<std::vector<float>> Engine::Impl::logits(std::vector<int32_t> tokens,
                                                std::shared_ptr<const model::Adapter> adapter) {
  PLINTH_TRY(check_tokens(tokens));
  PLINTH_TRY(check_adapter(adapter.get()));
  const int64_t bytes =
      std::ssize(tokens) * model_->config().vocabulary * static_cast<int64_t>(sizeof(float));
  if (bytes > kLogitsBytesMax)
    return invalid("logits of {} tokens take {} bytes, the limit is {}", tokens.size(), bytes,
                   kLogitsBytesMax);
  const auto batch = std::make_shared<Batch>(1);
  std::vector<SequencePtr> sequences;
  sequences.push_back(make_sequence(std::move(tokens), std::move(adapter), "",
                                    std::make_unique<LogitsOutput>(batch)));
  sequences.back()->background = true;
  enqueue(std::move(sequences));
  PLINTH_TRY(auto results, batch->wait());
  return std::move(results[0]);
}

EngineStats Engine::Impl::stats() const {
  const std::lock_guard lock(mutex_);
  EngineStats stats = stats_;
  stats.waiting += std::ssize(inbox_);
  return stats;
}

// --- engine thread ------------------------------------------------------------------------------

void Engine::Impl::work(const std::stop_token& stop) {
  while (absorb(stop)) step();
  abort_all();
}

// Takes in what other threads brought; sleeps while there is nothing to do. False: stop.
bool Engine::Impl::absorb(const std::stop_token& stop) {
  std::unordered_set<RequestId> cancels;
  std::vector<SequencePtr> fresh;
  {
    std::unique_lock lock(mutex_);
    const bool idle = running_.empty() && waiting_.empty() && background_.empty();
    if (idle) changed_.wait(lock, stop, [this] { return !inbox_.empty() || !cancels_.empty(); });
    if (stop.stop_requested()) return false;
    cancels.swap(cancels_);
    fresh.swap(inbox_);
    stats_.waiting += std::ssize(fresh);  // until publish_stats() counts anew
  }
  for (auto& sequence : fresh)
    (sequence->background ? background_ : waiting_).push_back(std::move(sequence));
  if (!cancels.empty()) apply_cancels(cancels);
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
  const auto waited = static_cast<int64_t>(std::erase_if(waiting_, cancelled));
  {
    const std::lock_guard lock(mutex_);
    queued_ -= waited;
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
  stats_.waiting = std::ssize(waiting_) + std::ssize(background_);
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
}

// --- Engine -------------------------------------------------------------------------------------

Result<std::unique_ptr<Engine>> Engine::start(std::shared_ptr<const model::Model> model,
                                              const EngineOptions& options) {
  PLINTH_TRY(check_options(options));
  const int64_t block_bytes = StepRunner::block_bytes(model->config(), options.block_tokens);
  const int64_t blocks = options.kv_bytes / block_bytes;
  if (blocks < 1)
    return invalid("kv_bytes {} is less than one block of {} bytes", options.kv_bytes, block_bytes);
  if (blocks > std::numeric_limits<int32_t>::max() / 2)
    return invalid("kv_bytes {} makes {} blocks of {} bytes: too many", options.kv_bytes, blocks,
                   block_bytes);
  return std::unique_ptr<Engine>(
      new Engine(std::make_unique<Impl>(std::move(model), options, static_cast<int32_t>(blocks))));
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Engine::~Engine() = default;

const model::Model& Engine::model() const {
  return impl_->model();
}

Result<RequestId> Engine::submit(Request request) {
  return impl_->submit(std::move(request));
}

void Engine::cancel(RequestId id) {
  impl_->cancel(id);
}

Result<std::vector<std::vector<float>>> Engine::score(std::vector<ScoreRequest> requests) {
  return impl_->score(std::move(requests));
}

Result<std::vector<float>> Engine::logits(std::vector<int32_t> tokens,
                                          std::shared_ptr<const model::Adapter> adapter) {
  return impl_->logits(std::move(tokens), std::move(adapter));
}

Result<Engine::Answer> Engine::generate(Request request) {
  // The sink may still be running its last lines when the waiter wakes: the state is shared.
  struct Waiting {
    std::mutex mutex;
    std::condition_variable changed;
    bool finished = false;
    Answer answer;
    Error error;
  };

  const auto waiting = std::make_shared<Waiting>();
  request.sink = [waiting](const Event& event) {
    const std::lock_guard lock(waiting->mutex);
    if (event.id >= 0) waiting->answer.ids.push_back(event.id);
    waiting->answer.text += event.text;
    if (!event.finished) return;
    waiting->answer.reason = event.reason;
    waiting->answer.usage = event.usage;
    waiting->error = event.error;
    waiting->finished = true;
    waiting->changed.notify_all();
  };
  PLINTH_TRY(submit(std::move(request)));
  std::unique_lock lock(waiting->mutex);
  waiting->changed.wait(lock, [&] { return waiting->finished; });
  if (waiting->answer.reason == FinishReason::kError) return waiting->error;
  return waiting->answer;
}

EngineStats Engine::stats() const {
  return impl_->stats();
}

}  // namespace plinth::engine
