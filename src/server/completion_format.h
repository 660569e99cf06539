// The JSON of text completions, whole and streamed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/answer_call.h"
#include "server/chat_answer.h"
#include "server/completion_request.h"

namespace plinth::server {

// A prompt as it was read, for echo.
struct ReadPrompt {
  std::vector<int32_t> tokens = {};
  engine::Reading reading = {};  // log-probabilities, when they were asked for
};

// Parallel lists in OpenAI's shape: {"tokens", "token_logprobs", "top_logprobs", "text_offset"},
// offsets in characters of the choice's text. The first token of a prompt has null for its figures.
class LogprobLists {
 public:
  void add(const text::Tokenizer& tokenizer, int32_t id, std::optional<float> logprob,
           const std::vector<std::pair<int32_t, float>>& top);

  // What came since the last call.
  Json take();

 private:
  static Json empty();

  Json lists_ = empty();
  int64_t characters_ = 0;
};

// The text of one token; where it is not UTF-8 by itself, "bytes:\xe4\xbd".
std::string token_text(const text::Tokenizer& tokenizer, int32_t id);

// `prompts` is empty without echo.
std::unique_ptr<AnswerFormat> completion_format(const text::Tokenizer& tokenizer, AnswerHead head,
                                                const CompletionRequest& request,
                                                const std::vector<ReadPrompt>& prompts);

}  // namespace plinth::server
