#include "server/response_request.h"

#include <array>
#include <utility>

#include "server/raw_member.h"
#include "server/request_fields.h"
#include "text/chat_template.h"

namespace plinth::server {
namespace {

using text::OrderedJson;

constexpr size_t kItemsMax = 4096;

// Fields of chats that mean the same here.
constexpr std::array kSame = {"model",
                              "temperature",
                              "top_p",
                              "stream",
                              "parallel_tool_calls",
                              "metadata",
                              "user",
                              "service_tier",
                              "safety_identifier",
                              "seed",
                              "prompt_cache_key",
                              "top_k",
                              "min_p",
                              "typical_p",
                              "repetition_penalty",
                              "ignore_eos",
                              "stop_token_ids",
                              "stop",
                              "logit_bias",
                              "priority",
                              "deadline_ms"};

// A message's parts: texts only, whoever wrote them.
Result<OrderedJson> parts_of(const Json& content, const std::string& place, std::string& param) {
  param = place;
  if (content.is_string()) return OrderedJson(content.get<std::string>());
  if (!content.is_array()) return invalid("{}: a text or an array of parts is needed", place);
  std::string text;
  for (size_t i = 0; i < content.size(); ++i) {
    const Json& part = content[i];
    param = fmt::format("{}[{}]", place, i);
    const std::string type = part.is_object() ? string_or(part, "type", "") : "";
    if (type != "input_text" && type != "output_text")
      return invalid("{}: type \"{}\" is not supported, only input_text and output_text", param,
                     type);
    PLINTH_TRY(
        only_fields(part, {"type", "text", "annotations", "logprobs"}, std::string(param), param));
    const auto found = part.find("text");
    if (found == part.end() || !found->is_string()) return invalid("{}: a text is needed", param);
    text += found->get<std::string>();
  }
  return OrderedJson(text);
}

// Calls that follow each other are one message of the assistant.
void add_call(OrderedJson& messages, const Json& item) {
  if (messages.empty() || messages.back()["role"] != "assistant")
    messages.push_back({{"role", "assistant"}, {"content", nullptr}});
  messages.back()["tool_calls"].push_back({{"id", string_or(item, "call_id", "")},
                                           {"type", "function"},
                                           {"function",
                                            {{"name", string_or(item, "name", "")},
                                             {"arguments", string_or(item, "arguments", "{}")}}}});
}

Status add_item(OrderedJson& messages, const Json& item, const std::string& place,
                std::string& param) {
  param = place;
  if (!item.is_object()) return invalid("{}: an object is needed", place);
  const std::string type = string_or(item, "type", "message");
  if (type == "message") {
    PLINTH_TRY(
        only_fields(item, {"type", "role", "content", "id", "status", "citations"}, place, param));
    if (!item.contains("content")) return invalid("{}.content: a text is needed", place);
    PLINTH_TRY(auto content, parts_of(item["content"], place + ".content", param));
    messages.push_back({{"role", string_or(item, "role", "")}, {"content", std::move(content)}});
    return {};
  }
  if (type == "function_call") {
    PLINTH_TRY(
        only_fields(item, {"type", "id", "call_id", "name", "arguments", "status"}, place, param));
    add_call(messages, item);
    return {};
  }
  if (type == "function_call_output") {
    PLINTH_TRY(only_fields(item, {"type", "id", "call_id", "output", "status"}, place, param));
    if (!item.contains("output")) return invalid("{}.output: a text is needed", place);
    PLINTH_TRY(auto output, parts_of(item["output"], place + ".output", param));
    messages.push_back({{"role", "tool"},
                        {"tool_call_id", string_or(item, "call_id", "")},
                        {"content", std::move(output)}});
    return {};
  }
  return invalid("{}: items of type \"{}\" are not supported", place, type);
}

Result<OrderedJson> messages_of(const Fields& fields, std::string& param) {
  OrderedJson messages = OrderedJson::array();
  PLINTH_TRY(const std::string instructions, fields.text_or("instructions", ""));
  if (!instructions.empty()) messages.push_back({{"role", "system"}, {"content", instructions}});
  const Json* input = fields.find("input");
  if (input == nullptr) return invalid("input: a text or an array of items is needed");
  if (input->is_string()) {
    messages.push_back({{"role", "user"}, {"content", input->get<std::string>()}});
    return messages;
  }
  if (!input->is_array() || input->empty() || input->size() > kItemsMax)
    return invalid("input: a text or an array of 1..{} items is needed", kItemsMax);
  for (size_t i = 0; i < input->size(); ++i)
    PLINTH_TRY(add_item(messages, (*input)[i], fmt::format("input[{}]", i), param));
  return messages;
}

// Tools lie flat here, and under "function" in chats. From the text: a schema's order of properties
// means something.
Result<OrderedJson> tools_of(const Fields& fields, std::string_view body, std::string& param) {
  OrderedJson tools = OrderedJson::array();
  const Json* list = fields.find("tools");
  if (list == nullptr) return tools;
  if (!list->is_array()) return invalid("tools: an array is needed");
  const auto ordered = OrderedJson::parse(raw_member(body, "tools"), nullptr, false);
  for (size_t i = 0; i < list->size(); ++i) {
    const std::string place = fmt::format("tools[{}]", i);
    param = place;
    if (!(*list)[i].is_object() || string_or((*list)[i], "type", "") != "function")
      return invalid("{}: only tools of type function are supported", place);
    PLINTH_TRY(only_fields((*list)[i], {"type", "name", "description", "parameters", "strict"},
                           place, param));
    OrderedJson function = ordered[i];
    function.erase("type");
    tools.push_back({{"type", "function"}, {"function", std::move(function)}});
  }
  return tools;
}

Result<OrderedJson> choice_of(const Fields& fields) {
  const Json* choice = fields.find("tool_choice");
  if (choice == nullptr) return OrderedJson("auto");
  if (choice->is_string()) return OrderedJson(choice->get<std::string>());
  if (!choice->is_object() || string_or(*choice, "type", "") != "function")
    return invalid("tool_choice: none, auto, required or an object of type function is needed");
  return OrderedJson{{"type", "function"},
                     {"function", {{"name", string_or(*choice, "name", "")}}}};
}

// text.format is response_format, with the schema's fields lying flat.
Result<OrderedJson> format_of(const Fields& fields, std::string_view body, std::string& param) {
  const Json* text = fields.find("text");
  if (text == nullptr) return OrderedJson();
  if (!text->is_object()) return invalid("text: an object is needed");
  PLINTH_TRY(only_fields(*text, {"format"}, "text", param));
  param = "text.format";
  const auto found = text->find("format");
  if (found == text->end() || found->is_null()) return OrderedJson();
  if (!found->is_object()) return invalid("text.format: an object is needed");
  if (string_or(*found, "type", "") != "json_schema") {
    PLINTH_TRY(only_fields(*found, {"type"}, "text.format", param));
    return OrderedJson{{"type", string_or(*found, "type", "")}};
  }
  PLINTH_TRY(only_fields(*found, {"type", "name", "description", "schema", "strict"}, "text.format",
                         param));
  auto schema = OrderedJson::parse(raw_member(raw_member(body, "text"), "format"), nullptr, false);
  schema.erase("type");
  return OrderedJson{{"type", "json_schema"}, {"json_schema", std::move(schema)}};
}

// What the answer would have to be remembered for, or made in another way.
Status refuse_unsupported(const Fields& fields) {
  PLINTH_TRY(const bool store, fields.flag("store", false));
  if (store) return invalid("store: responses are not kept, so true is not supported");
  PLINTH_TRY(const bool background, fields.flag("background", false));
  if (background) return invalid("background: true is not supported; use batches");
  for (const char* name : {"previous_response_id", "conversation", "prompt", "max_tool_calls",
                           "prompt_cache_retention"})
    if (fields.find(name) != nullptr) return invalid("{} is not supported", name);
  if (const Json* include = fields.find("include"); include != nullptr && !include->empty())
    return invalid("include: nothing more can be included");
  if (const Json* reasoning = fields.find("reasoning"); reasoning != nullptr)
    for (const Json& value : *reasoning)
      if (!value.is_null()) return invalid("reasoning is not supported");
  PLINTH_TRY(const std::string truncation, fields.text_or("truncation", "disabled"));
  if (truncation != "disabled")
    return invalid("truncation: {} is not supported, only disabled", truncation);
  PLINTH_TRY(const int64_t top, fields.integer("top_logprobs", 0, 0, 20));
  if (top > 0) return invalid("top_logprobs: log-probabilities are not given here");
  if (const Json* options = fields.find("stream_options")) {
    for (const auto& [name, value] : options->items())
      if (name != "include_obfuscation" || value != false)
        return invalid("stream_options.{} is not supported", name);
  }
  return {};
}

// A chat's names for what went wrong, in the words of responses.
std::string own_name(const std::string& param) {
  if (param.starts_with("messages")) return "input";
  if (param.starts_with("response_format")) return "text.format";
  if (param.starts_with("max_completion_tokens")) return "max_output_tokens";
  return param;
}

}  // namespace

Result<ResponseRequest> parse_response_request(std::string_view body, std::string& param) {
  PLINTH_TRY(const Json json, parse_object(body, param));
  const Fields fields(json, param);
  PLINTH_TRY(refuse_unsupported(fields));
  OrderedJson chat;
  PLINTH_TRY(chat["messages"], messages_of(fields, param));
  PLINTH_TRY(OrderedJson tools, tools_of(fields, body, param));
  PLINTH_TRY(OrderedJson choice, choice_of(fields));
  PLINTH_TRY(OrderedJson format, format_of(fields, body, param));
  if (!tools.empty()) chat["tools"] = std::move(tools);
  if (json.contains("tool_choice")) chat["tool_choice"] = std::move(choice);
  if (!format.is_null()) chat["response_format"] = std::move(format);
  for (const char* name : kSame)
    if (const Json* value = fields.find(name)) chat[name] = OrderedJson::parse(to_text(*value));
  if (const Json* limit = fields.find("max_output_tokens"))
    chat["max_completion_tokens"] = OrderedJson::parse(to_text(*limit));
  PLINTH_TRY(fields.nothing_else());

  ResponseRequest request;
  auto parsed = parse_chat_request(chat.dump(), param);
  param = own_name(param);
  if (!parsed) return parsed.error();
  request.chat = *std::move(parsed);
  const auto echo = [&](const char* name, const Json& fallback) {
    const auto it = json.find(name);
    request.echo[name] = it == json.end() || it->is_null() ? fallback : *it;
  };
  echo("instructions", nullptr);
  echo("max_output_tokens", nullptr);
  echo("metadata", Json::object());
  echo("parallel_tool_calls", true);
  echo("temperature", 1.0);
  echo("top_p", 1.0);
  echo("tool_choice", "auto");
  echo("tools", Json::array());
  echo("text", {{"format", {{"type", "text"}}}});
  echo("user", nullptr);
  return request;
}

}  // namespace plinth::server
