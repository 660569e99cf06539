#include "server/tools.h"

#include <algorithm>
#include <set>

#include "server/publish.h"
#include "server/test_server.h"

namespace plinth::server {
namespace {

Json tools() {
  return {{{"type", "function"},
           {"function",
            {{"name", "add"},
             {"description", "adds <|im_end|>"},
             {"parameters",
              {{"type", "object"},
               {"properties", {{"a", {{"type", "integer"}, {"minimum", 0}, {"maximum", 99}}}}},
               {"required", {"a"}},
               {"additionalProperties", false}}}}}},
          {{"type", "function"}, {"function", {{"name", "now"}}}}};
}

// Templates of the families, as far as tools go.
constexpr std::string_view kTools =
    "{% if tools %}{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}{% endif %}";
constexpr std::string_view kTurns =
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}"
    "{% if message.tool_calls %}{% for call in message.tool_calls %}CALL{{ call.id }}"
    "{{ call.function.arguments | tojson }}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n";

std::string template_of(std::string_view mark) {
  return "{# " + std::string(mark) + " #}" + std::string(kTools) + std::string(kTurns);
}

class ToolsTest : public ServerTest {
 protected:
  // A release whose template belongs to the family that the mark shows.
  std::string family(const std::string& name, std::string_view mark) {
    const auto release = publish(*store_, {.name = name,
                                           .base_digest = model_->digest(),
                                           .chat_template = template_of(mark),
                                           .verdict = R"({"passed": true})"});
    EXPECT_TRUE(release) << release.error().message;
    return name;
  }

  static Json with_tools(std::string_view model, Json choice) {
    Json body = chat("合同");
    body["model"] = model;
    body["tools"] = tools();
    body["tool_choice"] = std::move(choice);
    body["max_tokens"] = 300;
    body["temperature"] = 0.5;
    return body;
  }

  static std::string name_of(const Json& call) { return call["function"]["name"]; }
};

TEST_F(ToolsTest, RequiredIsAValidCallInEveryFamily) {
  const std::vector<std::string> models = {
      "tiny", family("hermes", "<tool_call>"), family("hunyuan", "<tool_calls>"),
      family("mistral", "[TOOL_CALLS]"), family("llama", "<|start_header_id|> \"parameters\"")};
  for (const std::string& model : models) {
    Json body = with_tools(model, "required");
    body["parallel_tool_calls"] = false;
    const Json choice = ask("/v1/chat/completions", body)["choices"][0];
    EXPECT_EQ(choice["finish_reason"], "tool_calls") << model << " " << choice;
    const Json calls = choice["message"]["tool_calls"];
    ASSERT_EQ(calls.size(), 1u) << model;
    EXPECT_TRUE(choice["message"]["content"].is_null());
    EXPECT_TRUE(name_of(calls[0]) == "add" || name_of(calls[0]) == "now");
    EXPECT_EQ(calls[0]["id"].get<std::string>().size(), model == "mistral" ? 9u : 29u);
    const auto arguments =
        parse_json(calls[0]["function"]["arguments"].get<std::string>(), "arguments");
    ASSERT_TRUE(arguments && arguments->is_object()) << calls;

    body["stream"] = true;
    std::string name, streamed;
    for (const Json& chunk : events(post(body).body))
      for (const Json& call : chunk["choices"][0]["delta"].value("tool_calls", Json::array())) {
        EXPECT_EQ(call["index"], 0);
        if (call.contains("id")) name = name_of(call);
        streamed += call["function"]["arguments"].get<std::string>();
      }
    EXPECT_EQ(name, name_of(calls[0])) << model;
    EXPECT_EQ(streamed, calls[0]["function"]["arguments"]);
  }
}

TEST_F(ToolsTest, NamedCallsThatFunctionAndFollowsItsSchema) {
  for (const std::string& model : {std::string("tiny"), family("hermes", "<tool_call>")}) {
    const Json body = with_tools(model, {{"type", "function"}, {"function", {{"name", "add"}}}});
    const Json message = ask("/v1/chat/completions", body)["choices"][0]["message"];
    ASSERT_FALSE(message["tool_calls"].empty());
    for (const Json& call : message["tool_calls"]) EXPECT_EQ(name_of(call), "add");
    const auto arguments = parse_json(
        message["tool_calls"][0]["function"]["arguments"].get<std::string>(), "arguments");
    ASSERT_TRUE(arguments);
    EXPECT_EQ(arguments->size(), 1u);
    EXPECT_TRUE((*arguments)["a"] >= 0 && (*arguments)["a"] <= 99);
  }
}

TEST_F(ToolsTest, AutoAnswersAndNoneForgetsTheTools) {
  const Json automatic = ask("/v1/chat/completions", with_tools("tiny", "auto"));
  const Json none = ask("/v1/chat/completions", with_tools("tiny", "none"));
  EXPECT_GT(automatic["usage"]["prompt_tokens"], none["usage"]["prompt_tokens"]);
  Json plain = with_tools("tiny", "none");
  plain.erase("tools");
  plain.erase("tool_choice");
  EXPECT_EQ(ask("/v1/chat/completions", plain)["choices"], none["choices"]);
}

TEST_F(ToolsTest, AConversationWithCallsIsRendered) {
  Json body = with_tools("tiny", "auto");
  body["messages"] = {
      {{"role", "user"}, {"content", "几点"}},
      {{"role", "assistant"},
       {"tool_calls",
        {{{"id", "call_1"},
          {"type", "function"},
          {"function", {{"name", "now"}, {"arguments", R"({"b": "<|im_end|>", "a": 1})"}}}}}}},
      {{"role", "tool"}, {"tool_call_id", "call_1"}, {"content", "12:00"}}};
  for (const char* field : {"max_tokens", "seed", "temperature"}) body.erase(field);
  const auto prompt = [&](const std::string& model) {
    Json ask_tokens = body;
    ask_tokens["model"] = model;
    const Json tokens = ask("/v1/tokenize", ask_tokens)["tokens"];
    const int32_t end = model_->tokenizer().special_id("<|im_end|>");
    // The turns' own ends, none that an argument or a description spells.
    const auto ids = tokens.get<std::vector<int32_t>>();
    EXPECT_EQ(std::ranges::count(ids, end), model == "tiny" ? 4 : 3);
    return model_->tokenizer().decode(ids, true);
  };
  const std::string prompted = prompt("tiny");
  EXPECT_NE(prompted.find("<tools>\n{\"function\":"), std::string::npos) << prompted;
  EXPECT_NE(prompted.find(
                "<tool_call>\n{\"name\": \"now\", \"arguments\": {\"b\":\"<|im_end|>\",\"a\":1}}"),
            std::string::npos)
      << prompted;
  EXPECT_NE(prompted.find("<|im_start|>user\n<tool_response>\n12:00\n</tool_response>"),
            std::string::npos);
  const std::string own = prompt(family("mistral", "[TOOL_CALLS]"));
  EXPECT_EQ(own.find("call_1"), std::string::npos) << "ids of nine digits: " << own;
  EXPECT_NE(own.find("{\"b\": \"<|im_end|>\", \"a\": 1}"), std::string::npos) << own;
}

TEST_F(ToolsTest, WhatCannotBeDoneIsRefusedByName) {
  const auto refused = [&](const char* name, Json value) {
    Json body = with_tools("tiny", "auto");
    body[name] = std::move(value);
    const Reply reply = post(body);
    EXPECT_EQ(reply.status, 400) << name << " " << reply.body;
    return string_or(error_of(reply), "param", "nothing");
  };
  EXPECT_EQ(refused("tool_choice", "always"), "tool_choice");
  EXPECT_EQ(refused("tool_choice", {{"type", "function"}, {"function", {{"name", "rm"}}}}),
            "tool_choice");
  EXPECT_EQ(refused("tools", {{{"type", "web"}}}), "tools");
  EXPECT_EQ(refused("tools", "x"), "tools");
  Json twice = tools();
  twice.push_back(twice[0]);
  EXPECT_EQ(refused("tools", twice), "tools");
  Json strict = tools();
  strict[0]["function"]["strict"] = true;
  strict[0]["function"]["parameters"] = {{"not", Json::object()}};
  EXPECT_EQ(refused("tools", strict), "tools");
  EXPECT_EQ(refused("parallel_tool_calls", 1), "parallel_tool_calls");
  EXPECT_EQ(refused("functions", tools()), "functions");
  EXPECT_EQ(refused("store", true), "store");
  EXPECT_EQ(refused("metadata", {{"a", 1}}), "metadata");
  EXPECT_EQ(refused("user", 5), "user");
  EXPECT_EQ(refused("messages", {{{"role", "tool"}, {"content", "x"}}}),
            "messages[0].tool_call_id");
  EXPECT_EQ(refused("messages",
                    {{{"role", "assistant"},
                      {"tool_calls", {{{"function", {{"name", "x"}, {"arguments", "{"}}}}}}}}),
            "messages[0].tool_calls[0]");
  // Not strict: such a schema is any object.
  strict[0]["function"]["strict"] = false;
  Json body = with_tools("tiny", {{"type", "function"}, {"function", {{"name", "add"}}}});
  body["tools"] = strict;
  body["max_tokens"] = 40;
  EXPECT_EQ(post(body).status, 200);
}

TEST(ToolStyles, AreKnownByTheTemplate) {
  EXPECT_EQ(tool_style("...<tool_call>..."), ToolStyle::kHermes);
  EXPECT_EQ(tool_style("...<tool_calls>[..."), ToolStyle::kHunyuan);
  EXPECT_EQ(tool_style("[TOOL_CALLS]["), ToolStyle::kMistral);
  EXPECT_EQ(tool_style("[TOOL_CALLS]f[ARGS]"), ToolStyle::kPrompted);
  EXPECT_EQ(tool_style("<tool_call><function=x>"), ToolStyle::kPrompted);
  EXPECT_EQ(tool_style("<|start_header_id|>{\"name\": , \"parameters\": "), ToolStyle::kLlama);
  EXPECT_EQ(tool_style("<|im_start|>"), ToolStyle::kPrompted);
}

}  // namespace
}  // namespace plinth::server
