#include "server/chat_request.h"

#include "core/json.h"
#include "server/raw_member.h"
#include "server/request_fields.h"

namespace plinth::server {
namespace {

constexpr size_t kMessagesMax = 4096;

// A message's content: a text, or parts of type text.
Result<std::string> parse_content(const Json& message, const std::string& place,
                                  std::string& param) {
  param = place + ".content";
  const auto it = message.find("content");
  const std::string role = string_or(message, "role", "");
  if (it == message.end() || it->is_null()) {
    if (role == "assistant") return std::string();
    return invalid("{}: a text is needed", param);
  }
  if (it->is_string()) return it->get<std::string>();
  if (!it->is_array()) return invalid("{}: a text or an array of parts is needed", param);
  std::string text;
  for (size_t i = 0; i < it->size(); ++i) {
    const Json& part = (*it)[i];
    param = fmt::format("{}.content[{}]", place, i);
    const std::string type = part.is_object() ? string_or(part, "type", "") : "";
    if (type != "text") return invalid("{}: type \"{}\" is not supported, only text", param, type);
    const auto part_text = part.find("text");
    if (part_text == part.end() || !part_text->is_string())
      return invalid("{}: a text is needed", param);
    text += part_text->get<std::string>();
  }
  return text;
}

// Fields that would change the answer's meaning and that we cannot honour.
Status refuse_unsupported(const Fields& fields) {
  for (const char* name : {"tools", "functions"})
    if (const Json* value = fields.find(name); value != nullptr && !value->empty())
      return invalid("{} are not supported", name);
  for (const char* name : {"tool_choice", "function_call"})
    if (const Json* value = fields.find(name);
        value != nullptr && *value != "none" && *value != "auto")
      return invalid("{}: only none or auto, as there are no tools", name);
  if (const Json* modalities = fields.find("modalities");
      modalities != nullptr && *modalities != Json::array({"text"}))
    return invalid("modalities: only [\"text\"] is supported");
  for (const char* name : {"audio", "prediction", "web_search_options", "reasoning_effort"})
    if (fields.find(name) != nullptr) return invalid("{} is not supported", name);
  return {};
}

// The schema's own text, empty for an answer of any form.
Result<std::string> parse_format(const Fields& fields, std::string_view body) {
  const Json* format = fields.find("response_format");
  if (format == nullptr) return std::string();
  const std::string type = format->is_object() ? string_or(*format, "type", "") : "";
  if (type == "text") return std::string();
  if (type == "json_object") return std::string(R"({"type":"object"})");
  if (type != "json_schema")
    return invalid("response_format: an object of type text, json_object or json_schema is needed");
  const auto named = format->find("json_schema");
  if (named == format->end() || !named->is_object() || !named->contains("schema"))
    return invalid("response_format: json_schema: an object with a schema is needed");
  if (const auto name = named->find("name"); name != named->end() && !name->is_string())
    return invalid("response_format: json_schema.name: a text is needed");
  return std::string(
      raw_member(raw_member(raw_member(body, "response_format"), "json_schema"), "schema"));
}

Status parse_logprobs(const Fields& fields, ChatRequest& request) {
  PLINTH_TRY(request.logprobs, fields.flag("logprobs", false));
  PLINTH_TRY(const int64_t top, fields.integer("top_logprobs", 0, 0, 20));
  if (top > 0 && !request.logprobs) return invalid("top_logprobs: needs logprobs to be true");
  request.sampling.top_logprobs = static_cast<int32_t>(top);
  return {};
}

}  // namespace

Result<std::vector<Message>> parse_messages(const Json& body, std::string& param) {
  param = "messages";
  const auto it = body.find("messages");
  if (it == body.end() || !it->is_array() || it->empty())
    return invalid("messages: a non-empty array is needed");
  if (it->size() > kMessagesMax)
    return invalid("messages: {} of them, the limit is {}", it->size(), kMessagesMax);
  std::vector<Message> messages;
  for (size_t i = 0; i < it->size(); ++i) {
    const Json& message = (*it)[i];
    const std::string place = fmt::format("messages[{}]", i);
    param = place;
    if (!message.is_object()) return invalid("{}: an object is needed", place);
    param = place + ".role";
    std::string role = string_or(message, "role", "");
    if (role == "developer") role = "system";
    if (role != "system" && role != "user" && role != "assistant")
      return invalid("{}: role \"{}\" is not supported: system, user or assistant", place, role);
    param = place + ".tool_calls";
    if (const auto calls = message.find("tool_calls");
        calls != message.end() && !calls->is_null() && !calls->empty())
      return invalid("{}: tool calls are not supported", place);
    PLINTH_TRY(std::string content, parse_content(message, place, param));
    messages.push_back({.role = std::move(role), .content = std::move(content)});
  }
  return messages;
}

Result<ChatRequest> parse_chat_request(std::string_view body, std::string& param) {
  PLINTH_TRY(const Json json, parse_object(body, param));
  const Fields fields(json, param);
  ChatRequest request;
  PLINTH_TRY(request.model, fields.text("model"));
  PLINTH_TRY(refuse_unsupported(fields));
  PLINTH_TRY(request.messages, parse_messages(json, param));
  PLINTH_TRY(parse_sampling(fields, request.sampling));
  PLINTH_TRY(parse_logprobs(fields, request));
  for (const char* name : {"max_tokens", "max_completion_tokens"})
    if (fields.find(name) != nullptr) {
      PLINTH_TRY(const int64_t tokens, fields.integer(name, 0, 1, kNumberMax));
      request.tokens_max = tokens;
    }
  PLINTH_TRY(request.stop, parse_stop(fields));
  PLINTH_TRY(request.stop_tokens, parse_stop_tokens(fields));
  PLINTH_TRY(request.ignore_eos, fields.flag("ignore_eos", false));
  PLINTH_TRY(const int64_t n, fields.integer("n", 1, 1, engine::kChoicesMax));
  request.n = static_cast<int32_t>(n);
  PLINTH_TRY(request.schema, parse_format(fields, body));
  PLINTH_TRY(const StreamChoice streaming, parse_stream(fields, param));
  request.stream = streaming.stream;
  request.include_usage = streaming.include_usage;
  param.clear();
  return request;
}

}  // namespace plinth::server
