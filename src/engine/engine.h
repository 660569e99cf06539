// The engine owns the resident base. Work reaches it as sequences; a step takes a batch of rows of
// any mix (prefill chunks, decodes, scored tokens, any adapters) through the base once: the large
// matrix products are shared by all rows, each adapter's low-rank product touches its own rows
// only.
//
// Threads: submit(), score(), cancel() and stats() from any thread. One engine thread runs the
// steps and calls the sinks. What the engine may use is fixed at start: KV blocks, rows of a step,
// queue. When the queue is full submit() says kResourceExhausted; when KV blocks run out, the
// youngest sequence is preempted and recomputed later; the process never grows because of load.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"
#include "grammar/grammar.h"
#include "model/model.h"
#include "tensor/tensor.h"

namespace plinth::engine {

struct EngineOptions {
  int64_t kv_bytes = int64_t{256} << 20;  // budget of the KV cache
  int64_t block_tokens = 16;              // tokens of a KV block
  int64_t rows_max = 256;                 // rows of one step: bounds latency and memory
  int64_t sequences_max = 64;             // sequences running at once
  int64_t queue_max = 1024;               // sequences waiting
  bool prefix_cache = true;
};

struct Sampling {
  float temperature = 1.0f;  // 0: greedy
  float top_p = 1.0f;
  int32_t top_k = 0;  // 0: off
  float min_p = 0.0f;
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
};

// One thing that happened to a sequence.
struct Event {
  // A token was taken (id >= 0). `text` is what became certain with it: whole UTF-8 characters, and
  // nothing that could still turn out to be the beginning of a stop string.
  int32_t id = -1;
  std::string text = {};
  float logprob = 0;
  std::vector<std::pair<int32_t, float>> top = {};  // top_logprobs alternatives, best first
  // The last event of a sequence: finished is true, usage is set; `text` may hold the held-back
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
  // The answer is a text of it, whatever is sampled; null: any text. Tokens that end an answer come
  // exactly where the text may end, and the answer ends by itself where nothing can follow. Only
  // tokens_max, a stop string and cancelling cut it short. Log-probabilities are among the tokens
  // that may come.
  std::shared_ptr<const grammar::Grammar> grammar = {};
  // Prefixes are shared only between requests with the same adapter digest and salt (tenant).
  std::string cache_salt = {};
  // Called on the engine thread; must not block. After the finished event it is never called again.
  std::function<void(const Event&)> sink = {};
};

using RequestId = uint64_t;

// One sequence to score: log p(tokens[i] | tokens[0..i)) for i in [first_scored, size).
struct ScoreRequest {
  std::vector<int32_t> tokens = {};
  int64_t first_scored = 1;  // >= 1
  std::shared_ptr<const model::Adapter> adapter = {};
};

struct EngineStats {
  int64_t waiting = 0;
  int64_t running = 0;
  int64_t kv_blocks = 0;
  int64_t kv_blocks_free = 0;
  int64_t steps = 0;
  int64_t rows = 0;
  int64_t prefix_hits_tokens = 0;
  int64_t preemptions = 0;
  int64_t memory_bytes = 0;  // KV cache and step arena
};

class Engine {
 public:
  static Result<std::unique_ptr<Engine>> start(std::shared_ptr<const model::Model> model,
                                               const EngineOptions& options);
  // Cancels what runs, waits for the engine thread.
  ~Engine();

  const model::Model& model() const;

  Result<RequestId> submit(Request request);
  // The sequence ends with kCancelled within one step; unknown ids are ignored.
  void cancel(RequestId id);

  // Blocks until all are scored; they ride in the same steps as everything else.
  Result<std::vector<std::vector<float>>> score(std::vector<ScoreRequest> requests);

  // Logits [tokens, vocabulary] after every token of one sequence. Blocks.
  Result<std::vector<float>> logits(std::vector<int32_t> tokens,
                                    std::shared_ptr<const model::Adapter> adapter);

  // Submits and waits: the whole answer as one event list. For command lines and tests.
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
