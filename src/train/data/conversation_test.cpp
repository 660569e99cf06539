#include "train/data/conversation.h"

#include <string>

#include <gtest/gtest.h>

namespace plinth::train {
namespace {

// The conversation of a row as text, or why there is none.
std::string read(std::string_view line) {
  const auto row = parse_row(line);
  if (!row) return row.error().message;
  const auto conversation = conversation_of(*row);
  if (!conversation) return conversation.error().message;
  std::string text = conversation->messages.dump();
  if (!conversation->tools.is_null()) text += " tools " + conversation->tools.dump();
  return text;
}

TEST(Conversation, ReadsAlpacaWithHistoryAndSystem) {
  EXPECT_EQ(read(R"({"instruction": "add", "input": "1 2", "output": "3", "system": "S",
                     "history": [["a", "b"]]})"),
            R"([{"role":"system","content":"S"},{"role":"user","content":"a"},)"
            R"({"role":"assistant","content":"b"},{"role":"user","content":"add\n1 2"},)"
            R"({"role":"assistant","content":"3"}])");
}

TEST(Conversation, ReadsARowThatIsAListOfOneAndARowWithoutInstruction) {
  const std::string expected =
      R"([{"role":"user","content":"q"},{"role":"assistant","content":"a"}])";
  EXPECT_EQ(read(R"([{"instruction": "q", "input": "", "output": "a"}])"), expected);
  EXPECT_EQ(read(R"({"input": "q", "output": "a"})"), expected);
  EXPECT_EQ(read(R"({"query": "q", "response": "a", "laws": []})"), expected);
}

TEST(Conversation, ReadsShareGptCallsObservationsAndToolsWrittenAsText) {
  EXPECT_EQ(
      read(
          R"({"conversations": [{"from": "human", "value": "q"},)"
          R"({"from": "function_call", "value": "{\"name\": \"f\", \"arguments\": {\"b\": 1, \"a\": 2}}"},)"
          R"({"from": "observation", "value": "7"}, {"from": "gpt", "value": "it is 7"}],)"
          R"("tools": "[{\"name\": \"f\", \"parameters\": {}}]"})"),
      R"([{"role":"user","content":"q"},{"role":"assistant","content":"","tool_calls":)"
      R"([{"id":"call_0","type":"function","function":{"name":"f","arguments":{"b":1,"a":2}}}]},)"
      R"({"role":"tool","content":"7","tool_call_id":"call_0"},)"
      R"({"role":"assistant","content":"it is 7"}])"
      R"( tools [{"type":"function","function":{"name":"f","parameters":{}}}])");
}

TEST(Conversation, ReadsOpenAiCallsWhoseArgumentsAreText) {
  EXPECT_EQ(read(R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "q"}]},)"
                 R"({"role": "assistant", "content": null, "tool_calls": [{"id": "x", "type":)"
                 R"("function", "function": {"name": "f", "arguments": "{\"a\": 1}"}}]},)"
                 R"({"role": "tool", "tool_call_id": "x", "content": "7"}], "tools": []})"),
            R"([{"role":"user","content":"q"},{"role":"assistant","content":"","tool_calls":)"
            R"([{"id":"x","type":"function","function":{"name":"f","arguments":{"a":1}}}]},)"
            R"({"role":"tool","content":"7","tool_call_id":"x"}])");
}

TEST(Conversation, SaysWhichMessageIsAtFault) {
  const auto one = [](const std::string& message) {
    return read(R"({"messages": [{"role": "user", "content": "q"}, )" + message + "]}");
  };
  EXPECT_EQ(one(R"({"role": "robot", "content": "x"})"),
            "message 1: role robot is none of system, user, assistant, tool");
  EXPECT_EQ(one(R"({"role": "assistant", "content": ""})"),
            "message 1: an assistant message is empty");
  EXPECT_EQ(one(R"({"role": "user"})"), "message 1: 'content' is missing");
  EXPECT_EQ(one(R"({"role": "assistant", "content": "", "tool_calls": [{"name": "f",
                 "arguments": "[1]"}]})"),
            "message 1: call 0 of f: the arguments are not a JSON object");
  EXPECT_EQ(one("5"), "message 1: it is number, not an object");
  EXPECT_EQ(read(R"({"laws": []})"),
            "the row has none of: messages, conversations, instruction, query, text");
  EXPECT_EQ(read(R"({"instruction": "q"})"), "'output' is missing");
  EXPECT_EQ(read("[1, 2]"), "the row is not an object");
  EXPECT_NE(read(std::string(100, '[')).find("row"), std::string::npos);
}

}  // namespace
}  // namespace plinth::train
