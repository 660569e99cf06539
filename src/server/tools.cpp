#include "server/tools.h"

#include <algorithm>
#include <utility>

#include "server/raw_member.h"

namespace plinth::server {
namespace {

using text::OrderedJson;

constexpr size_t kToolsMax = 128;  // OpenAI's limit
constexpr size_t kNameMax = 64;
constexpr int64_t kCallsMax = 64;  // in one answer
constexpr std::string_view kAnyObject = R"({"type":"object"})";

bool is_name(std::string_view name) {
  const auto fine = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  return !name.empty() && name.size() <= kNameMax && std::ranges::all_of(name, fine);
}

Result<Tool> parse_tool(const OrderedJson& json, const std::string& place) {
  if (!json.is_object() || !json.contains("type") || json["type"] != "function")
    return invalid("{}: only tools of type function are supported", place);
  const auto function = json.find("function");
  if (function == json.end() || !function->is_object())
    return invalid("{}.function: an object is needed", place);
  const auto name = function->find("name");
  if (name == function->end() || !name->is_string() ||
      !is_name(name->get_ref<const std::string&>()))
    return invalid("{}.function.name: 1..{} letters, digits, _ and - are needed", place, kNameMax);
  Tool tool{.name = name->get<std::string>(), .parameters = std::string(kAnyObject)};
  if (const auto schema = function->find("parameters");
      schema != function->end() && !schema->is_null()) {
    if (!schema->is_object())
      return invalid("{}.function.parameters: a JSON Schema is needed", place);
    if (!schema->empty()) tool.parameters = schema->dump();
  }
  if (const auto strict = function->find("strict");
      strict != function->end() && !strict->is_null()) {
    if (!strict->is_boolean()) return invalid("{}.function.strict: true or false is needed", place);
    tool.strict = strict->get<bool>();
  }
  return tool;
}

Status parse_choice(const Fields& fields, ToolRequest& request) {
  using Choice = ToolRequest::Choice;
  const Json* choice = fields.find("tool_choice");
  request.choice = request.tools.empty() ? Choice::kNone : Choice::kAuto;
  if (choice == nullptr || *choice == "auto") return {};
  if (*choice == "none") {
    request.choice = Choice::kNone;
    return {};
  }
  if (request.tools.empty()) return invalid("tool_choice: there are no tools");
  if (*choice == "required") {
    request.choice = Choice::kRequired;
    return {};
  }
  if (!choice->is_object() || string_or(*choice, "type", "") != "function" ||
      !choice->contains("function") || !(*choice)["function"].is_object())
    return invalid("tool_choice: none, auto, required or an object of type function is needed");
  request.named = string_or((*choice)["function"], "name", "");
  if (std::ranges::find(request.tools, request.named, &Tool::name) == request.tools.end())
    return invalid("tool_choice: function \"{}\" is not among the tools", request.named);
  request.choice = Choice::kNamed;
  return {};
}

std::string call_text(const OrderedJson& call) {
  const OrderedJson& function = call["function"];
  return fmt::format("<tool_call>\n{{\"name\": \"{}\", \"arguments\": {}}}\n</tool_call>",
                     function["name"].get<std::string>(), function["arguments"].dump());
}

}  // namespace

Result<ToolRequest> parse_tools(const Fields& fields, std::string_view body) {
  ToolRequest request;
  if (const Json* tools = fields.find("tools")) {
    if (!tools->is_array() || tools->size() > kToolsMax)
      return invalid("tools: an array of at most {} functions is needed", kToolsMax);
    // Parsed anew from the text: the order of properties is the order in which they are written.
    request.json = OrderedJson::parse(raw_member(body, "tools"), nullptr, false);
    std::string param;
    for (size_t i = 0; i < request.json.size(); ++i) {
      const Json& tool_json = (*tools)[i];
      const std::string place = fmt::format("tools[{}]", i);
      if (tool_json.is_object()) {
        PLINTH_TRY(only_fields(tool_json, {"type", "function"}, place, param));
        if (const auto function = tool_json.find("function");
            function != tool_json.end() && function->is_object())
          PLINTH_TRY(only_fields(*function, {"name", "description", "parameters", "strict"},
                                 place + ".function", param));
      }
      PLINTH_TRY(Tool tool, parse_tool(request.json[i], place));
      if (std::ranges::find(request.tools, tool.name, &Tool::name) != request.tools.end())
        return invalid("tools[{}]: function {} is there twice", i, tool.name);
      request.tools.push_back(std::move(tool));
    }
  }
  PLINTH_TRY(parse_choice(fields, request));
  PLINTH_TRY(request.parallel, fields.flag("parallel_tool_calls", true));
  return request;
}

ToolStyle tool_style(std::string_view chat_template) {
  const auto has = [&](std::string_view text) {
    return chat_template.find(text) != std::string_view::npos;
  };
  // Families that write calls in yet other ways (XML-like parameters) are prompted.
  if (has("<function=") || has("<arg_key>") || has("[ARGS]")) return ToolStyle::kPrompted;
  if (has("[TOOL_CALLS]")) return ToolStyle::kMistral;
  if (has("<tool_calls>")) return ToolStyle::kHunyuan;
  if (has("<tool_call>")) return ToolStyle::kHermes;
  if (has("<|start_header_id|>") && has("\"parameters\"")) return ToolStyle::kLlama;
  return ToolStyle::kPrompted;
}

std::string_view tool_trigger(ToolStyle style) {
  switch (style) {
    case ToolStyle::kHermes:
    case ToolStyle::kPrompted:
      return "<tool_call>";
    case ToolStyle::kHunyuan:
      return "<tool_calls>";
    case ToolStyle::kMistral:
      return "[TOOL_CALLS]";
    case ToolStyle::kLlama:
      return "";
  }
  return "";
}

void write_tools_out(OrderedJson& messages, const ToolRequest& tools) {
  OrderedJson written = OrderedJson::array();
  for (OrderedJson& message : messages) {
    std::string content = message["content"].get<std::string>();
    if (message["role"] == "tool") {
      message = {{"role", "user"},
                 {"content", "<tool_response>\n" + content + "\n</tool_response>"}};
    } else if (message.contains("tool_calls")) {
      for (const OrderedJson& call : message["tool_calls"])
        content += (content.empty() ? "" : "\n") + call_text(call);
      message = {{"role", "assistant"}, {"content", std::move(content)}};
    }
    written.push_back(std::move(message));
  }
  if (tools.offered()) {
    std::string text = "# Tools\n\nYou can call these functions, one JSON object each:\n<tools>\n";
    for (const OrderedJson& tool : tools.json) text += tool.dump() + "\n";
    text +=
        "</tools>\n\nTo call one, write its name and its arguments like this, once for each call:\n"
        "<tool_call>\n{\"name\": \"NAME\", \"arguments\": {\"ARGUMENT\": VALUE}}\n</tool_call>";
    if (!written.empty() && written[0]["role"] == "system")
      written[0]["content"] = written[0]["content"].get<std::string>() + "\n\n" + text;
    else
      written.insert(written.begin(), OrderedJson{{"role", "system"}, {"content", text}});
  }
  messages = std::move(written);
}

grammar::CallSpec call_spec(const ToolRequest& tools, ToolStyle style, bool triggered,
                            const std::string& text_schema) {
  grammar::CallSpec spec;
  const char* arguments = style == ToolStyle::kLlama ? "parameters" : "arguments";
  for (const Tool& tool : tools.tools) {
    if (tools.choice == ToolRequest::Choice::kNamed && tool.name != tools.named) continue;
    spec.functions.push_back(
        {.before = fmt::format(R"({{"name": "{}", "{}": )", tool.name, arguments),
         .schema = tool.parameters,
         .after = "}"});
  }
  spec.calls_max = tools.parallel ? kCallsMax : 1;
  if (triggered) spec.trigger = tool_trigger(style);
  spec.text_schema = text_schema;
  switch (style) {
    case ToolStyle::kHermes:
    case ToolStyle::kPrompted:
      spec.after_trigger.push_back('\n');
      spec.between = "\n</tool_call>\n<tool_call>\n";
      spec.after = "\n</tool_call>";
      break;
    case ToolStyle::kHunyuan:
      spec.after_trigger.push_back('[');
      spec.between = ", ";
      spec.after = "]</tool_calls>";
      break;
    case ToolStyle::kMistral:
      spec.after_trigger.push_back('[');
      spec.between = ", ";
      spec.after.push_back(']');
      break;
    case ToolStyle::kLlama:
      spec.calls_max = 1;  // its template takes no more than one back
      break;
  }
  return spec;
}

std::vector<int32_t> call_opening(const text::Tokenizer& tokenizer, ToolStyle style) {
  std::vector<int32_t> tokens;
  const std::string trigger(tool_trigger(style));
  if (trigger.empty()) return tokens;
  const auto add = [&](std::string_view text) {
    const auto more = tokenizer.encode_more(text);
    tokens.insert(tokens.end(), more.begin(), more.end());
  };
  const int32_t special = tokenizer.special_id(trigger);
  if (special >= 0)
    tokens.push_back(special);
  else
    add(trigger);
  add(style == ToolStyle::kHermes || style == ToolStyle::kPrompted ? "\n" : "[");
  return tokens;
}

}  // namespace plinth::server
