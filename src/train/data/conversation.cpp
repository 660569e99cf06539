#include "train/data/conversation.h"

#include <utility>

#include "core/json.h"

namespace plinth::train {
namespace {

using text::OrderedJson;

Result<std::string> text_member(const OrderedJson& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end()) return invalid("'{}' is missing", key);
  if (!it->is_string()) return invalid("'{}' is {}, not a text", key, it->type_name());
  return it->get<std::string>();
}

std::string text_or_none(const OrderedJson& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

// JSON that may have been written out as a text once more.
Result<OrderedJson> written_out(const OrderedJson& json, std::string_view what) {
  if (!json.is_string()) return json;
  const auto& text = json.get_ref<const std::string&>();
  PLINTH_TRY(parse_json(text, what));  // bounds its depth
  return OrderedJson::parse(text, nullptr, false);
}

// A call as templates read it, from {"function": {"name", "arguments"}} or {"name", "arguments"}.
Result<OrderedJson> call_of(const OrderedJson& json, size_t number) {
  if (!json.is_object()) return invalid("call {} is {}, not an object", number, json.type_name());
  const auto wrapped = json.find("function");
  const OrderedJson& function = wrapped != json.end() ? *wrapped : json;
  if (!function.is_object()) return invalid("call {}: the function is no object", number);
  PLINTH_TRY(auto name, text_member(function, "name"));
  if (name.empty()) return invalid("call {}: the function has no name", number);
  OrderedJson arguments = OrderedJson::object();
  if (const auto given = function.find("arguments"); given != function.end() && !given->is_null()) {
    PLINTH_TRY(arguments, written_out(*given, "arguments"));
  }
  if (!arguments.is_object())
    return invalid("call {} of {}: the arguments are not a JSON object", number, name);
  std::string id = text_or_none(json, "id");
  if (id.empty()) id = fmt::format("call_{}", number);
  return OrderedJson{
      {"id", std::move(id)},
      {"type", "function"},
      {"function", {{"name", std::move(name)}, {"arguments", std::move(arguments)}}}};
}

Result<OrderedJson> calls_of(const OrderedJson& json) {
  PLINTH_TRY(const auto parsed, written_out(json, "tool calls"));
  const OrderedJson list = parsed.is_array() ? parsed : OrderedJson::array({parsed});
  if (list.empty()) return invalid("the list of calls is empty");
  OrderedJson calls = OrderedJson::array();
  for (size_t i = 0; i < list.size(); ++i) {
    PLINTH_TRY(auto call, call_of(list[i], i));
    calls.push_back(std::move(call));
  }
  return calls;
}

// null when there are none: an empty list offers nothing.
Result<OrderedJson> tools_of(const OrderedJson& row) {
  const auto it = row.find("tools");
  if (it == row.end() || it->is_null() || (it->is_string() && it->get<std::string>().empty()))
    return OrderedJson();
  PLINTH_TRY(const auto list, written_out(*it, "tools"));
  if (!list.is_array()) return invalid("tools: {}, not a list", list.type_name());
  OrderedJson tools = OrderedJson::array();
  for (const auto& tool : list) {
    if (!tool.is_object()) return invalid("tools: {} among them, not an object", tool.type_name());
    const bool wrapped = tool.contains("function");
    const OrderedJson& function = wrapped ? tool["function"] : tool;
    if (!function.is_object() || text_or_none(function, "name").empty())
      return invalid("tools: a function without a name");
    tools.push_back(wrapped ? tool : OrderedJson{{"type", "function"}, {"function", function}});
  }
  return tools.empty() ? OrderedJson() : tools;
}

// A text, parts of type text, or nothing (null) beside tool calls.
Result<std::string> content_of(const OrderedJson& message) {
  const auto it = message.find("content");
  if ((it == message.end() || it->is_null()) && message.contains("tool_calls"))
    return std::string();
  if (it == message.end() || !it->is_array()) return text_member(message, "content");
  std::string text;
  for (const auto& part : *it) {
    if (!part.is_object() || text_or_none(part, "type") != "text")
      return invalid("a part of the content is not of type text");
    PLINTH_TRY(const auto more, text_member(part, "text"));
    text += more;
  }
  return text;
}

Result<OrderedJson> message_of(const OrderedJson& given) {
  if (!given.is_object()) return invalid("it is {}, not an object", given.type_name());
  PLINTH_TRY(auto role, text_member(given, "role"));
  if (role == "developer") role = "system";
  if (role != "system" && role != "user" && role != "assistant" && role != "tool")
    return invalid("role {} is none of system, user, assistant, tool", role);
  PLINTH_TRY(auto content, content_of(given));
  OrderedJson message = {{"role", role}, {"content", std::move(content)}};
  if (const auto calls = given.find("tool_calls"); calls != given.end() && !calls->is_null()) {
    if (role != "assistant") return invalid("only an assistant calls tools");
    PLINTH_TRY(message["tool_calls"], calls_of(*calls));
  }
  if (role == "tool") message["tool_call_id"] = text_or_none(given, "tool_call_id");
  if (role == "assistant" && message["content"] == "" && !message.contains("tool_calls"))
    return invalid("an assistant message is empty");
  return message;
}

// Results without the id of their call answer the calls before them in order.
void fill_call_ids(OrderedJson& messages) {
  OrderedJson open = OrderedJson::array();
  size_t answered = 0;
  for (auto& message : messages) {
    if (message.contains("tool_calls")) {
      open = message["tool_calls"];
      answered = 0;
    }
    if (message["role"] != "tool") continue;
    if (message["tool_call_id"] == "")
      message["tool_call_id"] = answered < open.size() ? open[answered]["id"] : "call_0";
    ++answered;
  }
}

// Alpaca and query/response: one question and answer, and those that went before.
Result<OrderedJson> exchange(const OrderedJson& row) {
  const bool query = row.contains("query");
  std::string question = text_or_none(row, query ? "query" : "instruction");
  if (const auto input = text_or_none(row, "input"); !query && !input.empty())
    question += (question.empty() ? "" : "\n") + input;
  if (question.empty() && !row.contains("instruction"))
    return invalid("the row has none of: messages, conversations, instruction, query, text");
  PLINTH_TRY(auto answer, text_member(row, query ? "response" : "output"));
  OrderedJson messages = OrderedJson::array();
  const auto add = [&](const char* role, const OrderedJson& content) {
    messages.push_back({{"role", role}, {"content", content}});
  };
  if (const auto history = row.find("history"); history != row.end() && !history->is_null()) {
    if (!history->is_array()) return invalid("history is {}, not a list", history->type_name());
    for (const auto& pair : *history) {
      if (!pair.is_array() || pair.size() != 2)
        return invalid("history: not a pair of question and answer");
      add("user", pair[0]);
      add("assistant", pair[1]);
    }
  }
  add("user", question);
  add("assistant", answer);
  return messages;
}

Result<OrderedJson> raw_messages(const OrderedJson& row) {
  for (const char* key : {"messages", "conversations"}) {
    const auto it = row.find(key);
    if (it == row.end()) continue;
    if (!it->is_array() || it->empty()) return invalid("{} is not a list of messages", key);
    if (std::string_view(key) == "messages") return *it;
    OrderedJson messages = OrderedJson::array();
    for (size_t i = 0; i < it->size(); ++i) {
      auto message = sharegpt_message((*it)[i]);
      if (!message) return invalid("message {}: {}", i, message.error().message);
      messages.push_back(*std::move(message));
    }
    return messages;
  }
  return exchange(row);
}

}  // namespace

Result<OrderedJson> parse_row(std::string_view line) {
  PLINTH_TRY(parse_json(line, "row"));  // bounds its depth, refuses broken UTF-8
  auto row = OrderedJson::parse(line, nullptr, false);
  if (row.is_array() && row.size() == 1) row = OrderedJson(row[0]);
  if (!row.is_object()) return invalid("the row is not an object");
  return row;
}

Result<OrderedJson> sharegpt_message(const OrderedJson& turn) {
  if (!turn.is_object()) return invalid("it is {}, not an object", turn.type_name());
  PLINTH_TRY(const auto from, text_member(turn, "from"));
  PLINTH_TRY(auto value, text_member(turn, "value"));
  if (from == "function_call")
    return OrderedJson{{"role", "assistant"}, {"content", ""}, {"tool_calls", std::move(value)}};
  const std::string role = from == "human" || from == "user"         ? "user"
                           : from == "gpt" || from == "assistant"    ? "assistant"
                           : from == "observation" || from == "tool" ? "tool"
                                                                     : from;
  return OrderedJson{{"role", role}, {"content", std::move(value)}};
}

Result<Conversation> conversation_of(const OrderedJson& row) {
  Conversation conversation;
  PLINTH_TRY(conversation.tools, tools_of(row));
  PLINTH_TRY(const auto given, raw_messages(row));
  conversation.messages = OrderedJson::array();
  if (const auto system = text_or_none(row, "system"); !system.empty())
    conversation.messages.push_back({{"role", "system"}, {"content", system}});
  for (size_t i = 0; i < given.size(); ++i) {
    auto message = message_of(given[i]);
    if (!message) return invalid("message {}: {}", i, message.error().message);
    conversation.messages.push_back(*std::move(message));
  }
  fill_call_ids(conversation.messages);
  return conversation;
}

std::string text_of(const Conversation& conversation) {
  std::string text;
  for (const auto& message : conversation.messages)
    text += message["content"].get<std::string>() + "\n";
  return text;
}

}  // namespace plinth::train
