// An answer in the making: samples a token from each logits row, turns tokens into text, watches
// for stops, and tells the request's sink.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/clock.h"
#include "engine/engine.h"
#include "engine/output.h"
#include "engine/sampler.h"
#include "engine/stop_strings.h"
#include "text/tokenizer.h"

namespace plinth::engine {

class AnswerOutput : public Output {
 public:
  // request.prompt has been moved out, `prompt` is it; tokens_max is what context and cache leave;
  // choice is one of request.n; `matcher` is of request.grammar.
  // The tokenizer outlives the answer: the engine holds the model.
  AnswerOutput(const text::Tokenizer& tokenizer, Request request,
               const std::vector<int32_t>& prompt, int64_t tokens_max, int32_t choice,
               std::optional<grammar::Matcher> matcher = {});

  int64_t first_wanted(int64_t tokens) const override { return tokens - 1; }

  bool take(int64_t first, tensor::ConstMatrix logits, std::vector<int32_t>& tokens) override;

  void found_cached(int64_t tokens) override {
    usage_.cached_tokens += tokens;
    if (!begun_) usage_.queued_s = watch_.seconds();
    begun_ = true;
  }

  void spent(double core_s) override { usage_.core_s = core_s; }

  void abort(Error error) override;

 private:
  bool is_stop(int32_t token) const;
  Result<std::span<const uint64_t>> mask(size_t vocabulary);
  void finish(Event event, FinishReason reason);

  const text::Tokenizer* tokenizer_;
  Request request_;
  int64_t tokens_max_;
  int32_t choice_;
  Sampler sampler_;
  std::optional<grammar::Matcher> matcher_;
  std::vector<uint64_t> mask_;  // scratch: the matcher's, and the tokens that end an answer
  TokenCounts counts_;
  text::StreamDecoder decoder_;
  StopStrings stops_;
  Usage usage_;
  bool begun_ = false;  // its prompt is being read, or has been
  Stopwatch watch_;     // since submit()
};

}  // namespace plinth::engine
