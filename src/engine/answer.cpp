#include "engine/answer.h"

#include <algorithm>
#include <utility>

namespace plinth::engine {
namespace {

Sampling for_choice(Sampling sampling, int32_t choice) {
  sampling.seed += static_cast<uint64_t>(choice);
  return sampling;
}

}  // namespace

AnswerOutput::AnswerOutput(const text::Tokenizer& tokenizer, Request request,
                           const std::vector<int32_t>& prompt, int64_t tokens_max, int32_t choice,
                           std::optional<grammar::Matcher> matcher)
    : tokenizer_(&tokenizer),
      request_(std::move(request)),
      tokens_max_(tokens_max),
      choice_(choice),
      sampler_(for_choice(request_.sampling, choice)),
      matcher_(std::move(matcher)),
      decoder_(tokenizer),
      stops_(request_.stop) {
  usage_.prompt_tokens = static_cast<int64_t>(prompt.size());
  if (sampler_.wants_counts())
    for (const int32_t token : prompt) counts_.add_prompt(token);
}

bool AnswerOutput::take(int64_t, tensor::ConstMatrix logits, std::vector<int32_t>& tokens) {
  const auto vocabulary = static_cast<size_t>(logits.cols);
  auto allowed = mask(vocabulary);
  if (!allowed) {
    abort(std::move(allowed).error());
    return true;
  }
  auto choice = sampler_.choose({logits.row(0), vocabulary}, counts_, *allowed);
  if (!choice) {
    abort(std::move(choice).error());
    return true;
  }
  const int32_t token = choice->token;
  tokens.push_back(token);
  counts_.add_answer(token);
  ++usage_.completion_tokens;

  Event event{
      .choice = choice_, .id = token, .logprob = choice->logprob, .top = std::move(choice->top)};
  if (is_stop(token)) {
    event.text = stops_.push(decoder_.finish()).text + stops_.finish();
    finish(std::move(event), FinishReason::kStop);
    return true;
  }
  if (matcher_) {
    if (auto accepted = matcher_->accept(token); !accepted) {
      abort(std::move(accepted).error());
      return true;
    }
  }
  auto output = stops_.push(decoder_.push(token));
  event.text = std::move(output.text);
  if (output.stopped) {
    finish(std::move(event), FinishReason::kStop);
    return true;
  }
  const bool complete = matcher_ && matcher_->complete();
  if (!complete && usage_.completion_tokens < tokens_max_) {
    request_.sink(event);
    return false;
  }
  output = stops_.push(decoder_.finish());
  event.text += output.text + stops_.finish();
  finish(std::move(event), complete ? FinishReason::kStop : FinishReason::kLength);
  return true;
}

// What may come next: empty without a grammar.
Result<std::span<const uint64_t>> AnswerOutput::mask(size_t vocabulary) {
  if (!matcher_) return std::span<const uint64_t>();
  PLINTH_TRY(const auto inside, matcher_->mask());
  mask_.assign(inside.begin(), inside.end());
  mask_.resize((vocabulary + 63) / 64);
  const auto end = [&](int32_t token) {
    if (token < 0 || static_cast<size_t>(token) >= vocabulary) return;
    const uint64_t bit = uint64_t{1} << (token % 64);
    uint64_t& word = mask_[static_cast<size_t>(token) / 64];
    word = matcher_->can_end() ? word | bit : word & ~bit;
  };
  end(tokenizer_->eos());
  for (const int32_t token : request_.stop_tokens) end(token);
  return std::span<const uint64_t>(mask_);
}

void AnswerOutput::abort(Error error) {
  Event event{.choice = choice_};
  const auto reason =
      error.code == Code::kCancelled ? FinishReason::kCancelled : FinishReason::kError;
  if (reason == FinishReason::kError) event.error = std::move(error);
  finish(std::move(event), reason);
}

bool AnswerOutput::is_stop(int32_t token) const {
  return token == tokenizer_->eos() ||
         std::ranges::find(request_.stop_tokens, token) != request_.stop_tokens.end();
}

void AnswerOutput::finish(Event event, FinishReason reason) {
  event.finished = true;
  event.reason = reason;
  event.usage = usage_;
  request_.sink(event);
}

}  // namespace plinth::engine
