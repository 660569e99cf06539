// What any thread may call: checks, hands over to the engine thread, waits.
#include "engine/engine.h"

#include <algorithm>
#include <condition_variable>
#include <limits>
#include <mutex>

#include "core/clock.h"
#include "engine/answer.h"
#include "engine/batch_output.h"
#include "engine/engine_impl.h"
#include "engine/reading.h"

namespace plinth::engine {
namespace {

constexpr int64_t kLogitsBytesMax = int64_t{1} << 30;

Status check_options(const EngineOptions& o) {
  if (o.block_tokens < 1 || o.block_tokens > 1024)
    return invalid("block_tokens {} is outside 1..1024", o.block_tokens);
  if (o.rows_max < 1 || o.rows_max > 65536)
    return invalid("rows_max {} is outside 1..65536", o.rows_max);
  if (o.sequences_max < 1) return invalid("sequences_max {} is less than 1", o.sequences_max);
  if (o.queue_max < 1) return invalid("queue_max {} is less than 1", o.queue_max);
  if (o.lookup_tokens < 0 || o.lookup_tokens > EngineOptions::kLookupMax)
    return invalid("lookup_tokens {} is outside 0..{}", o.lookup_tokens, EngineOptions::kLookupMax);
  if (o.adapter_bytes < 0) return invalid("adapter_bytes {} is negative", o.adapter_bytes);
  return {};
}

}  // namespace

Engine::Impl::Impl(std::shared_ptr<const model::Model> model, const EngineOptions& options,
                   int32_t blocks)
    : model_(std::move(model)),
      options_(options),
      pool_(blocks),
      cache_(pool_, options.block_tokens),
      interleaving_(model_, tensor::default_ops()),
      step_(interleaving_.model(), {.rows_max = options.rows_max,
                                    .block_tokens = options.block_tokens,
                                    .blocks = blocks,
                                    .kv_type = options.kv_type,
                                    .deterministic = options.deterministic}) {
  // More running sequences than rows would leave the youngest without a row in every step.
  options_.sequences_max = std::min(options_.sequences_max, options_.rows_max);
  stats_.kv_blocks = stats_.kv_blocks_free = blocks;
  stats_.memory_bytes = step_.memory_bytes();
  const auto prepare = [this](const model::Adapter& opened) {
    return model::interleaved(opened, *model_, tensor::default_ops());
  };
  adapters_ = std::make_unique<AdapterPool>(options_.adapter_bytes, prepare, [this] {
    {
      const std::lock_guard lock(mutex_);
      adapters_changed_ = true;
    }
    changed_.notify_one();
  });
  thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
}

Engine::Impl::~Impl() {
  thread_.request_stop();
  thread_.join();
  adapters_.reset();  // its thread calls back
}

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
  if (adapter == nullptr) return {};
  const auto& config = model_->config();
  if (std::ssize(adapter->layers) != config.layers)
    return invalid("adapter {} has {} layers, the base {}", adapter->name, adapter->layers.size(),
                   config.layers);
  for (const int64_t words : {adapter->embedding.a.rows, adapter->head.b.rows})
    if (words != 0 && words != config.vocabulary)
      return invalid("adapter {} is for a vocabulary of {}, the base has {}", adapter->name, words,
                     config.vocabulary);
  return {};
}

SequencePtr Engine::Impl::make_sequence(std::vector<int32_t> tokens,
                                        std::shared_ptr<const model::Adapter> adapter,
                                        const AdapterSourcePtr& registered, const std::string& salt,
                                        std::unique_ptr<Output> output) const {
  auto sequence = std::make_unique<Sequence>();
  sequence->tokens = std::move(tokens);
  sequence->output = std::move(output);
  sequence->cacheable = options_.prefix_cache && (adapter == nullptr || !adapter->digest.empty());
  const std::string& digest = registered != nullptr ? registered->digest
                              : adapter != nullptr  ? adapter->digest
                                                    : std::string();
  sequence->scope = cache_.start(digest, salt);
  sequence->tenant = salt;
  if (registered != nullptr) sequence->pin = adapters_->pin(registered);
  sequence->chain = sequence->scope;
  sequence->adapter = std::move(adapter);
  return sequence;
}

void Engine::Impl::enqueue(std::vector<SequencePtr> sequences) {
  {
    const std::lock_guard lock(mutex_);
    for (auto& sequence : sequences) {
      sequence->id = sequence->request = ++last_id_;
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
  if (request.n < 1 || request.n > kChoicesMax)
    return invalid("n {} is outside 1..{}", request.n, kChoicesMax);
  const int64_t lookup_tokens = request.lookup_tokens.value_or(options_.lookup_tokens);
  if (lookup_tokens < 0 || lookup_tokens > EngineOptions::kLookupMax)
    return invalid("lookup_tokens {} is outside 0..{}", lookup_tokens, EngineOptions::kLookupMax);
  if (!request.sink) return invalid("the request has no sink");
  if (request.adapter != nullptr && request.registered != nullptr)
    return invalid("the request names two adapters, {} and {}", request.adapter->name,
                   request.registered->name);
  const int64_t vocabulary = model_->config().vocabulary;
  for (const auto& [id, bias] : request.sampling.logit_bias)
    if (id < 0 || id >= vocabulary)
      return invalid("logit_bias token {} is outside 0..{}", id, vocabulary - 1);
  for (const int32_t id : request.stop_tokens)
    if (id < 0 || id >= vocabulary)
      return invalid("stop token {} is outside 0..{}", id, vocabulary - 1);

  PLINTH_TRY(const auto matcher, matcher_of(request));

  const int64_t room = std::max<int64_t>(1, capacity() - std::ssize(request.prompt));
  const int64_t tokens_max = std::min(request.tokens_max, room);
  const std::vector<int32_t> prompt = std::move(request.prompt);
  const auto choice = [&](int32_t index, std::vector<int32_t> tokens) {
    auto made =
        make_sequence(std::move(tokens), request.adapter, request.registered, request.cache_salt,
                      std::make_unique<AnswerOutput>(model_->tokenizer(), request, prompt,
                                                     tokens_max, index, matcher));
    made->lookup_tokens = made->lookup_reach = lookup_tokens;
    made->priority = request.priority;
    if (request.deadline_ms > 0)
      made->deadline_ns = system_clock().monotonic_ns() + request.deadline_ms * 1'000'000;
    return made;
  };
  auto sequence = choice(0, prompt);
  // The others get their tokens when they part from the first.
  for (int32_t i = 1; i < request.n; ++i) sequence->forks.push_back(choice(i, {}));
  RequestId id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (queued_ >= options_.queue_max)
      return exhausted("{} requests are waiting, the queue holds {}", queued_, options_.queue_max);
    ++queued_;
    id = sequence->id = sequence->request = ++last_id_;
    for (auto& fork : sequence->forks) {
      fork->id = ++last_id_;
      fork->request = id;
    }
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
    sequences.push_back(make_sequence(std::move(request.tokens), std::move(request.adapter), {}, "",
                                      std::move(output)));
    sequences.back()->background = true;
  }
  if (requests.empty()) return std::vector<std::vector<float>>();
  enqueue(std::move(sequences));
  return batch->wait();
}

Result<RequestId> Engine::Impl::read(ReadRequest request) {
  PLINTH_TRY(check_tokens(request.tokens));
  if (!request.pooled && request.tokens.size() < 2)
    return invalid("one token has no log-probability: nothing is before it");
  if (request.top_logprobs < 0 || request.top_logprobs > 20)
    return invalid("top_logprobs {} is outside 0..20", request.top_logprobs);
  if (!request.done) return invalid("the request has nobody to tell");
  std::unique_ptr<Output> output;
  if (request.pooled) {
    output = std::make_unique<PooledOutput>(std::move(request.done));
  } else {
    output = std::make_unique<LogprobOutput>(request.tokens, request.top_logprobs,
                                             std::move(request.done));
    request.tokens.pop_back();
  }
  auto sequence = make_sequence(std::move(request.tokens), {}, request.registered, request.tenant,
                                std::move(output));
  // All of its rows are computed, and what it leaves in the cache must not be seen by others.
  sequence->cacheable = false;
  RequestId id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (queued_ >= options_.queue_max)
      return exhausted("{} requests are waiting, the queue holds {}", queued_, options_.queue_max);
    ++queued_;
    id = sequence->id = sequence->request = ++last_id_;
    inbox_.push_back(std::move(sequence));
  }
  changed_.notify_one();
  return id;
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
  sequences.push_back(make_sequence(std::move(tokens), std::move(adapter), {}, "",
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
  stats.adapters = adapters_->stats();
  return stats;
}

Result<std::unique_ptr<Engine>> Engine::start(std::shared_ptr<const model::Model> model,
                                              const EngineOptions& options) {
  PLINTH_TRY(check_options(options));
  const int64_t block_bytes =
      StepRunner::block_bytes(model->config(), options.block_tokens, options.kv_type);
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

AdapterPool& Engine::adapters() {
  return impl_->adapters();
}

void Engine::cancel(RequestId id) {
  impl_->cancel(id);
}

Result<std::vector<std::vector<float>>> Engine::score(std::vector<ScoreRequest> requests) {
  return impl_->score(std::move(requests));
}

Result<RequestId> Engine::read(ReadRequest request) {
  return impl_->read(std::move(request));
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

  if (request.n != 1) return invalid("one answer is waited for, n is {}", request.n);
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
