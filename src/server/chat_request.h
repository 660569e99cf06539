// The body of POST /v1/chat/completions, checked. A value that we do not support is refused by
// name, never ignored: an answer that silently means something else is worse than none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "engine/engine.h"
#include "server/request_fields.h"
#include "server/tools.h"

namespace plinth::server {

struct Message {
  std::string role = {};  // "system", "user", "assistant", "tool"
  std::string content = {};
  std::string name = {};  // of who speaks; templates may show it
  // Of an assistant: an array of {"id", "type", "function": {"name", "arguments": object}}, as
  // templates read them; null: none.
  text::OrderedJson tool_calls = {};
  std::string tool_call_id = {};  // of a tool: the call that it answers
};

struct ChatRequest {
  std::string model = {};
  std::vector<Message> messages = {};
  engine::Sampling sampling = {};
  std::optional<int64_t> tokens_max = {};  // none: whatever the context leaves
  std::vector<std::string> stop = {};
  std::vector<int32_t> stop_tokens = {};
  int32_t n = 1;  // choices
  // response_format: the text of the JSON Schema that the answer follows, its properties in the
  // client's order; not compiled yet. Empty: any text.
  std::string schema = {};
  ToolRequest tools = {};
  bool logprobs = false;
  bool ignore_eos = false;  // for measuring: answers end at tokens_max
  Urgency urgency = {};
  bool stream = false;
  bool include_usage = false;
};

// The conversation of a body, checked.
Result<std::vector<Message>> parse_messages(const Json& body, std::string& param);

// On an error `param` is the field at fault ("messages[1].content"), empty when it is the whole
// body. Without a seed the request gets a random one.
Result<ChatRequest> parse_chat_request(std::string_view body, std::string& param);

}  // namespace plinth::server
