// The body of POST /v1/completions, checked like that of a chat (chat_request.h).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/request_fields.h"

namespace plinth::server {

struct CompletionRequest {
  static constexpr size_t kPromptsMax = 256;

  std::string model = {};
  std::vector<TextOrTokens> prompts = {};
  engine::Sampling sampling = {};
  int64_t tokens_max = 16;  // OpenAI's default; 0 only with echo
  std::vector<std::string> stop = {};
  std::vector<int32_t> stop_tokens = {};
  int32_t n = 1;  // choices of each prompt
  bool echo = false;
  bool logprobs = false;  // sampling.top_logprobs says how many
  Urgency urgency = {};
  bool ignore_eos = false;  // for measuring: answers end at tokens_max
  bool stream = false;
  bool include_usage = false;
};

Result<CompletionRequest> parse_completion_request(std::string_view body, std::string& param);

}  // namespace plinth::server
