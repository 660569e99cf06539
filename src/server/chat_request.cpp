#include "server/chat_request.h"

#include "core/json.h"
#include "server/raw_member.h"
#include "server/request_fields.h"

namespace plinth::server {
namespace {

constexpr size_t kMessagesMax = 4096;
constexpr size_t kCallsMax = 128;  // of one message

// A message's content: a text, or parts of type text.
Result<std::string> parse_content(const Json& message, const std::string& place,
                                  std::string& param) {
  param = place + ".content";
  const auto it = message.find("content");
  const std::string role = string_or(message, "role", "");
  if (it == message.end() || it->is_null()) {
    if (role == "assistant" && (message.contains("tool_calls") || it != message.end()))
      return std::string();
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
    PLINTH_TRY(only_fields(part, {"type", "text"}, std::string(param), param));
    const auto part_text = part.find("text");
    if (part_text == part.end() || !part_text->is_string())
      return invalid("{}: a text is needed", param);
    text += part_text->get<std::string>();
  }
  return text;
}

// The calls of an assistant's message, their arguments parsed.
Result<text::OrderedJson> parse_calls(const Json& message, const std::string& place,
                                      std::string& param) {
  const auto calls = message.find("tool_calls");
  if (calls == message.end() || calls->is_null()) return text::OrderedJson();
  param = place + ".tool_calls";
  if (!calls->is_array() || calls->size() > kCallsMax)
    return invalid("{}: an array of at most {} calls is needed", param, kCallsMax);
  text::OrderedJson parsed = text::OrderedJson::array();
  for (size_t i = 0; i < calls->size(); ++i) {
    const Json& call = (*calls)[i];
    param = fmt::format("{}.tool_calls[{}]", place, i);
    const auto function = call.is_object() ? call.find("function") : call.end();
    if (!call.is_object() || function == call.end() || !function->is_object() ||
        string_or(*function, "name", "").empty())
      return invalid("{}: an object with a function, which has a name, is needed", param);
    PLINTH_TRY(only_fields(call, {"id", "type", "function", "index"}, std::string(param), param));
    const std::string text = string_or(*function, "arguments", "{}");
    auto arguments = text::OrderedJson::parse(text, nullptr, false);
    if (!arguments.is_object() || !parse_json(text, "arguments"))
      return invalid("{}: the arguments are not the text of a JSON object", param);
    parsed.push_back(
        {{"id", string_or(call, "id", "")},
         {"type", "function"},
         {"function",
          {{"name", string_or(*function, "name", "")}, {"arguments", std::move(arguments)}}}});
  }
  if (parsed.empty()) return text::OrderedJson();
  return parsed;
}

// Fields that would change the answer's meaning and that we cannot honour.
Status refuse_unsupported(const Fields& fields) {
  if (const Json* functions = fields.find("functions"); functions != nullptr && !functions->empty())
    return invalid("functions: use tools");
  if (const Json* call = fields.find("function_call"); call != nullptr && *call != "none")
    return invalid("function_call: use tool_choice");
  if (const Json* modalities = fields.find("modalities");
      modalities != nullptr && *modalities != Json::array({"text"}))
    return invalid("modalities: only [\"text\"] is supported");
  for (const char* name :
       {"audio", "prediction", "web_search_options", "reasoning_effort", "verbosity"})
    if (fields.find(name) != nullptr) return invalid("{} is not supported", name);
  PLINTH_TRY(const bool store, fields.flag("store", false));
  if (store) return invalid("store: answers are not kept");
  PLINTH_TRY(const std::string tier, fields.text_or("service_tier", "auto"));
  if (tier != "auto" && tier != "default")
    return invalid("service_tier: {} is not supported, only auto and default", tier);
  // They say who asks and what to keep together; an answer is the same without them.
  for (const char* name : {"user", "safety_identifier", "prompt_cache_key"})
    PLINTH_TRY(fields.text_or(name, ""));
  return check_metadata(fields);
}

// The schema's own text, empty for an answer of any form.
Result<std::string> parse_format(const Fields& fields, std::string_view body, std::string& param) {
  const Json* format = fields.find("response_format");
  if (format == nullptr) return std::string();
  const std::string type = format->is_object() ? string_or(*format, "type", "") : "";
  if (format->is_object())
    PLINTH_TRY(only_fields(*format, {"type", "json_schema"}, "response_format", param));
  if (type == "text") return std::string();
  if (type == "json_object") return std::string(R"({"type":"object"})");
  if (type != "json_schema")
    return invalid("response_format: an object of type text, json_object or json_schema is needed");
  const auto named = format->find("json_schema");
  if (named == format->end() || !named->is_object() || !named->contains("schema"))
    return invalid("response_format: json_schema: an object with a schema is needed");
  if (const auto name = named->find("name"); name != named->end() && !name->is_string())
    return invalid("response_format: json_schema.name: a text is needed");
  PLINTH_TRY(only_fields(*named, {"name", "description", "schema", "strict"},
                         "response_format.json_schema", param));
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
    if (role != "system" && role != "user" && role != "assistant" && role != "tool")
      return invalid("{}: role \"{}\" is not supported: system, user, assistant or tool", place,
                     role);
    // What clients send back of an answer as they got it: its refusal (always null) and citations.
    PLINTH_TRY(only_fields(
        message,
        {"role", "content", "name", "tool_calls", "tool_call_id", "citations", "annotations"},
        place, param));
    Message parsed{.role = std::move(role)};
    param = place + ".name";
    parsed.name = string_or(message, "name", "");
    PLINTH_TRY(parsed.tool_calls, parse_calls(message, place, param));
    if (!parsed.tool_calls.is_null() && parsed.role != "assistant")
      return invalid("{}: only an assistant calls tools", param);
    param = place + ".tool_call_id";
    parsed.tool_call_id = string_or(message, "tool_call_id", "");
    if (parsed.role == "tool" && parsed.tool_call_id.empty())
      return invalid("{}: the id of the call that this answers is needed", param);
    PLINTH_TRY(parsed.content, parse_content(message, place, param));
    messages.push_back(std::move(parsed));
  }
  return messages;
}

Result<ChatRequest> parse_chat_request(std::string_view body, std::string& param) {
  PLINTH_TRY(const Json json, parse_object(body, param));
  const Fields fields(json, param);
  ChatRequest request;
  PLINTH_TRY(request.model, fields.text("model"));
  PLINTH_TRY(refuse_unsupported(fields));
  fields.find("messages");
  PLINTH_TRY(request.messages, parse_messages(json, param));
  PLINTH_TRY(request.tools, parse_tools(fields, body));
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
  PLINTH_TRY(request.urgency, parse_urgency(fields));
  PLINTH_TRY(const int64_t n, fields.integer("n", 1, 1, engine::kChoicesMax));
  request.n = static_cast<int32_t>(n);
  PLINTH_TRY(request.schema, parse_format(fields, body, param));
  PLINTH_TRY(const StreamChoice streaming, parse_stream(fields, param));
  request.stream = streaming.stream;
  request.include_usage = streaming.include_usage;
  PLINTH_TRY(fields.nothing_else());
  param.clear();
  return request;
}

}  // namespace plinth::server
