// The engine owns the resident base. Work reaches it as sequences; a step takes a batch of rows of
// any mix (prefill chunks, decodes, scored tokens, any adapters) through the base once: the large
// matrix products are shared by all rows, each adapter's low-rank product touches its own rows
// only.
//
// Threads: submit(), score(), cancel() and stats() from any thread. One engine thread runs the
// steps and calls the sinks. What the engine may use is fixed at start: KV blocks, rows of a step,
// queue, bytes of registered adapters. When the queue is full submit() says kResourceExhausted;
// when KV blocks run out, the youngest sequence is preempted and recomputed later; the process
// never grows because of load. Work of other threads that stands back (core/stand_back.h), such as
// tuning on the same base, waits while the engine has something to do; an engine that hardly ever
// rests leaves it a twelfth of the time (time_left.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"
#include "engine/adapter_pool.h"
#include "grammar/grammar.h"
#include "model/model.h"
#include "tensor/ops.h"
#include "tensor/tensor.h"

namespace plinth::engine {

struct EngineOptions {
  int64_t kv_bytes = int64_t{256} << 20;  // budget of the KV cache
  int64_t block_tokens = 16;              // tokens of a KV block
  tensor::KvType kv_type = tensor::KvType::kF16;
  int64_t rows_max = 256;                      // rows of one step: bounds latency and memory
  int64_t sequences_max = 64;                  // sequences running at once
  int64_t queue_max = 1024;                    // sequences waiting
  int64_t adapter_bytes = int64_t{512} << 20;  // budget of the adapters that are loaded
  bool prefix_cache = true;
  // The same request gets bit-identical tokens and log-probabilities whatever else is in the batch,
  // however its prompt is cut, cached or recomputed. Prompts are computed slower.
  bool deterministic = false;
  // Tokens of a running answer that are guessed from its text (prompt lookup) and checked together
  // in one step: the same answer in fewer steps where it repeats what it has read. 0: off.
  int64_t lookup_tokens = 0;

  static constexpr int64_t kLookupMax = 32;
};

struct Sampling {
  float temperature = 1.0f;  // 0: greedy
  float top_p = 1.0f;
  int32_t top_k = 0;  // 0: off
  float min_p = 0.0f;
  float typical_p = 1.0f;           // mass of the tokens nearest to the expected surprise
  float repetition_penalty = 1.0f;  // over prompt and answer (CTRL)
  float presence_penalty = 0.0f;    // over the answer, OpenAI's definition
  float frequency_penalty = 0.0f;
  uint64_t seed = 0;
  std::vector<std::pair<int32_t, float>> logit_bias = {};
  int32_t top_logprobs = 0;  // alternatives reported with each token

  Status check() const;
};

enum class FinishReason : uint8_t { kStop, kLength, kCancelled, kError };

struct Usage {
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;  // of the prompt, found in the prefix cache
  int64_t completion_tokens = 0;
  double queued_s = 0;  // from submit() until its prompt began to be read
  // Of the steps that it rode in, times the cores of the compute pool, by its share of their rows.
  double core_s = 0;
};

// One thing that happened to a sequence.
struct Event {
  int32_t choice = 0;  // of Request::n
  // A token was taken (id >= 0). `text` is what became certain with it: whole UTF-8 characters, and
  // nothing that could still turn out to be the beginning of a stop string.
  int32_t id = -1;
  std::string text = {};
  float logprob = 0;
  std::vector<std::pair<int32_t, float>> top = {};  // top_logprobs alternatives, best first
  // The last event of a choice: finished is true, usage is set; `text` may hold the held-back
  // tail.
  bool finished = false;
  FinishReason reason = FinishReason::kStop;
  Usage usage = {};
  Error error = {};  // kError only
};

struct Request {
  std::vector<int32_t> prompt = {};                    // 1..context tokens
  std::shared_ptr<const model::Adapter> adapter = {};  // null: the plain base
  Sampling sampling = {};
  int64_t tokens_max = 256;               // of the answer; capped by the context
  std::vector<std::string> stop = {};     // text that ends the answer, not part of it
  std::vector<int32_t> stop_tokens = {};  // besides the tokenizer's eos
  // Answers to give. They share the prompt, which is computed once; choice i is the answer that a
  // request of its own with seed + i would get. Each ends with a finished event.
  int32_t n = 1;
  std::optional<int64_t> lookup_tokens = {};  // none: as EngineOptions says
  // Instead of `adapter`: one of Engine::adapters(). The request waits until it is loaded and keeps
  // it from being evicted; when that fails, so does the request, alone.
  AdapterSourcePtr registered = {};
  // The answer is a text of it, whatever is sampled; null: any text. Tokens that end an answer come
  // exactly where the text may end, and the answer ends by itself where nothing can follow. Only
  // tokens_max, a stop string and cancelling cut it short. Log-probabilities are among the tokens
  // that may come.
  std::shared_ptr<const grammar::Grammar> grammar = {};
  // Prefixes are shared only between requests with the same adapter digest and salt (tenant). Steps
  // are shared out fairly between salts (fair_share.h); the empty one is nobody in particular.
  std::string cache_salt = {};
  int32_t priority = 0;     // among the waiting requests of its salt: the smaller goes first
  int64_t deadline_ms = 0;  // from submit(); later it ends with kDeadlineExceeded. 0: never
  // Called on the engine thread; must not block. After the last choice's finished event it is never
  // called again.
  std::function<void(const Event&)> sink = {};
};

inline constexpr int32_t kChoicesMax = 128;

using RequestId = uint64_t;

// One sequence to score: log p(tokens[i] | tokens[0..i)) for i in [first_scored, size).
struct ScoreRequest {
  std::vector<int32_t> tokens = {};
  int64_t first_scored = 1;  // >= 1
  std::shared_ptr<const model::Adapter> adapter = {};
};

// What a base makes of a text that nobody wants continued.
struct Reading {
  std::vector<float> pooled = {};  // [width]: the mean over all tokens of what the head would read
  std::vector<float> logprobs = {};  // [tokens - 1]: log p(tokens[i + 1] | tokens[0..i])
  // The best tokens at each of those places, best first, with their log-probabilities.
  std::vector<std::vector<std::pair<int32_t, float>>> top = {};
  double core_s = 0;  // as Usage::core_s
};

struct ReadRequest {
  std::vector<int32_t> tokens = {};
  bool pooled = false;       // Reading::pooled, otherwise logprobs (of 2 tokens and more) and top
  int32_t top_logprobs = 0;  // 0..20
  AdapterSourcePtr registered = {};  // null: the plain base
  std::string tenant = {};           // as Request::cache_salt, but that nothing is cached
  // Called once, on the engine thread; must not block.
  std::function<void(Result<Reading>)> done = {};
};

struct EngineStats {
  int64_t waiting = 0;
  int64_t running = 0;
  int64_t kv_blocks = 0;
  int64_t kv_blocks_free = 0;
  int64_t steps = 0;
  int64_t rows = 0;
  int64_t adapter_rows = 0;   // of the rows, with an adapter
  int64_t step_adapters = 0;  // different adapters of a step, summed over all steps
  int64_t prefix_hits_tokens = 0;
  int64_t preemptions = 0;
  int64_t guest_rows = 0;       // that stood back behind other tenants' answers
  double step_seconds = 0;      // that the engine was at work
  double seconds_left = 0;      // that steps left to threads that stand back
  int64_t blocks_copied = 0;    // shared by choices, or with the prefix cache, until one wrote
  int64_t lookup_tokens = 0;    // guessed and checked
  int64_t lookup_accepted = 0;  // of them, right
  int64_t memory_bytes = 0;     // KV cache and step arena; adapters come on top, up to their budget
  bool interleaved = false;     // the weights have the form that steps read fastest
  AdapterPoolStats adapters = {};
};

class Engine {
 public:
  static Result<std::unique_ptr<Engine>> start(std::shared_ptr<const model::Model> model,
                                               const EngineOptions& options);
  // Cancels what runs, waits for the engine thread.
  ~Engine();

  const model::Model& model() const;

  // Where adapters are registered for Request::registered. Lives as long as the engine.
  AdapterPool& adapters();

  Result<RequestId> submit(Request request);
  // Its sequences end with kCancelled within one step; unknown ids are ignored.
  void cancel(RequestId id);

  // Blocks until all are scored; they ride in the same steps as everything else.
  Result<std::vector<std::vector<float>>> score(std::vector<ScoreRequest> requests);

  // Queued like an answer, without waiting. kCancelled comes to `done` like any other error.
  Result<RequestId> read(ReadRequest request);

  // Logits [tokens, vocabulary] after every token of one sequence. Blocks.
  Result<std::vector<float>> logits(std::vector<int32_t> tokens,
                                    std::shared_ptr<const model::Adapter> adapter);

  // Submits and waits: the whole answer. For command lines and tests; n is 1.
  struct Answer {
    std::vector<int32_t> ids = {};
    std::string text = {};
    FinishReason reason = FinishReason::kStop;
    Usage usage = {};
  };

  Result<Answer> generate(Request request);

  EngineStats stats() const;

 private:
  class Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace plinth::engine
