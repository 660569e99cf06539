// One question to an OpenAI-compatible server, ours or another, over HTTP.
#pragma once

#include <memory>
#include <string>

#include "core/result.h"

namespace plinth::cli {

struct ChatEndpoint {
  std::string url;  // up to /v1
  std::string model;
  std::string key;  // empty: none is sent
  int64_t tokens_max = 800;
  double timeout_s = 300;
};

class ChatClient {
 public:
  static Result<ChatClient> open(const ChatEndpoint& endpoint);

  ChatClient(ChatClient&&) noexcept;
  ~ChatClient();

  // The model's answer to one user message, at temperature 0. response_format: JSON that is sent as
  // such, and no more once the server has refused it (400, 422); empty: none. A server that is busy
  // (429, 502 to 504) or goes away after an answer is asked again, 15 seconds or as long as it
  // says. kInvalidArgument: the server refuses this prompt (too long for its context); others may
  // do.
  Result<std::string> ask(const std::string& prompt, const std::string& response_format = {});

 private:
  struct Impl;
  explicit ChatClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace plinth::cli
