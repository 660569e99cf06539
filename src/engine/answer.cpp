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
                           const std::vector<int32_t>& prompt, int64_t tokens_max, int32_t choice)
    : tokenizer_(&tokenizer),
      request_(std::move(request)),
      tokens_max_(tokens_max),
      choice_(choice),
      sampler_(for_choice(request_.sampling, choice)),
      decoder_(tokenizer),
      stops_(request_.stop) {
  usage_.prompt_tokens = static_cast<int64_t>(prompt.size());
  if (sampler_.wants_counts())
    for (const int32_t token : prompt) counts_.add_prompt(token);
}

bool AnswerOutput::take(int64_t, tensor::ConstMatrix logits, std::vector<int32_t>& tokens) {
  auto choice = sampler_.choose({logits.row(0), static_cast<size_t>(logits.cols)}, counts_);
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
  auto output = stops_.push(decoder_.push(token));
  event.text = std::move(output.text);
  if (output.stopped) {
    finish(std::move(event), FinishReason::kStop);
    return true;
  }
  if (usage_.completion_tokens < tokens_max_) {
    request_.sink(event);
    return false;
  }
  output = stops_.push(decoder_.finish());
  event.text += output.text + stops_.finish();
  finish(std::move(event), FinishReason::kLength);
  return true;
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
