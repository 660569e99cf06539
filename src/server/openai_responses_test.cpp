#include "server/response_request.h"
#include "server/test_server.h"

namespace plinth::server {
namespace {

class ResponsesTest : public ServerTest {
 protected:
  static Json request(const Json& input) {
    return {{"model", "tiny"}, {"input", input}, {"max_output_tokens", 24}, {"seed", 11}};
  }

  static Json with_tool(Json body) {
    body["tools"] = {{{"type", "function"},
                      {"name", "count"},
                      {"parameters",
                       {{"type", "object"},
                        {"properties", {{"n", {{"type", "integer"}, {"maximum", 9}}}}},
                        {"required", {"n"}},
                        {"additionalProperties", false}}}}};
    body["tool_choice"] = "required";
    body["parallel_tool_calls"] = false;
    body["max_output_tokens"] = 200;
    return body;
  }

  // The events of a stream, each with the name that it came under.
  std::vector<Json> stream(Json body) const {
    body["stream"] = true;
    const Reply reply = post_to("/v1/responses", body);
    EXPECT_EQ(reply.status, 200) << reply.body;
    std::vector<Json> all;
    for (size_t at = 0; at < reply.body.size();) {
      const size_t end = reply.body.find("\n\n", at);
      const std::string event = reply.body.substr(at, end - at);
      const size_t line = event.find('\n');
      const auto json = parse_json(event.substr(line + 7), "event");
      EXPECT_TRUE(json) << event;
      EXPECT_EQ(event.substr(7, line - 7), string_or(*json, "type", ""));
      EXPECT_EQ(int_or(*json, "sequence_number", -1), std::ssize(all));
      all.push_back(*json);
      at = end + 2;
    }
    return all;
  }
};

TEST_F(ResponsesTest, AreTheChatsAnswerInAnotherForm) {
  const Json chat_answer = ask("/v1/chat/completions", chat("合同"));
  const Json answer = ask("/v1/responses", request("合同"));
  ASSERT_EQ(answer["output"].size(), 1u) << to_text(answer);
  const Json& message = answer["output"][0];
  EXPECT_EQ(message["type"], "message");
  EXPECT_EQ(message["content"][0]["text"], chat_answer["choices"][0]["message"]["content"]);
  EXPECT_EQ(answer["usage"]["output_tokens"], chat_answer["usage"]["completion_tokens"]);
  const bool cut = chat_answer["choices"][0]["finish_reason"] == "length";
  EXPECT_EQ(answer["status"], cut ? "incomplete" : "completed");
  EXPECT_EQ(message["status"], answer["status"]);
  const Json items = {
      {{"role", "user"}, {"content", {{{"type", "input_text"}, {"text", "合同"}}}}}};
  EXPECT_EQ(ask("/v1/responses", request(items))["output"][0]["content"], message["content"]);
}

TEST_F(ResponsesTest, StreamedIsWhole) {
  const Json whole = ask("/v1/responses", request("合同"));
  const auto events = stream(request("合同"));
  ASSERT_GE(events.size(), 4u);
  EXPECT_EQ(events[0]["type"], "response.created");
  std::string text;
  for (const Json& event : events)
    if (event["type"] == "response.output_text.delta") text += event["delta"].get<std::string>();
  EXPECT_EQ(text, whole["output"][0]["content"][0]["text"]);
  Json last = events.back()["response"];
  EXPECT_EQ(events.back()["type"], "response." + whole["status"].get<std::string>());
  EXPECT_EQ(last["output"][0]["content"], whole["output"][0]["content"]);
  EXPECT_EQ(last["usage"]["output_tokens"], whole["usage"]["output_tokens"]);
}

TEST_F(ResponsesTest, CallsOfFunctionsAreItems) {
  const Json body = with_tool(request("合同"));
  const Json whole = ask("/v1/responses", body);
  ASSERT_EQ(whole["output"].size(), 1u) << to_text(whole);
  const Json& call = whole["output"][0];
  EXPECT_EQ(call["type"], "function_call");
  EXPECT_EQ(call["name"], "count");
  const Json arguments = parse_json(call["arguments"].get<std::string>(), "arguments").value();
  EXPECT_LE(arguments["n"].get<double>(), 9);
  std::string streamed;
  for (const Json& event : stream(body))
    if (event["type"] == "response.function_call_arguments.delta")
      streamed += event["delta"].get<std::string>();
  EXPECT_EQ(streamed, call["arguments"]);
  // And back: the call and what came of it.
  Json again =
      request({{{"role", "user"}, {"content", "合同"}},
               call,
               {{"type", "function_call_output"}, {"call_id", call["call_id"]}, {"output", "7"}}});
  EXPECT_EQ(ask("/v1/responses", again)["output"][0]["type"], "message");
}

TEST_F(ResponsesTest, WhatIsNotSupportedIsRefusedByName) {
  const std::vector<std::pair<Json, std::string>> cases = {
      {{{"store", true}}, "store"},
      {{{"previous_response_id", "resp_1"}}, "previous_response_id"},
      {{{"background", true}}, "background"},
      {{{"truncation", "auto"}}, "truncation"},
      {{{"temperatur", 1}}, "temperatur"},
      {{{"temperature", 9}}, "temperature"},
      {{{"max_output_tokens", 0}}, "max_output_tokens"},
      {{{"input", Json::array()}}, "input"},
      {{{"input", {{{"type", "item_reference"}, {"id", "x"}}}}}, "input[0]"},
      {{{"tools", {{{"type", "web_search"}}}}}, "tools[0]"},
      {{{"text", {{"format", {{"type", "xml"}}}}}}, "text.format"}};
  for (const auto& [change, param] : cases) {
    Json body = request("合同");
    body.update(change);
    const Reply reply = post_to("/v1/responses", body);
    EXPECT_EQ(reply.status, 400) << to_text(change);
    EXPECT_EQ(error_of(reply)["param"], param) << reply.body;
  }
}

}  // namespace
}  // namespace plinth::server
