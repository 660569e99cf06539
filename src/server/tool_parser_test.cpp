#include "server/tool_parser.h"

#include <gtest/gtest.h>

namespace plinth::server {
namespace {

struct Call {
  std::string name;
  std::string arguments;

  bool operator==(const Call&) const = default;
};

struct Answer {
  std::string content;
  std::vector<Call> calls;

  bool operator==(const Answer&) const = default;
};

void add(Answer& answer, const ToolParser::Piece& piece) {
  answer.content += piece.content;
  for (const auto& call : piece.calls) {
    if (!call.id.empty()) {
      EXPECT_EQ(call.index, answer.calls.size());
      answer.calls.push_back({call.name, ""});
    }
    ASSERT_LT(call.index, answer.calls.size());
    answer.calls[call.index].arguments += call.arguments;
  }
}

// In pieces of every size the same comes out.
Answer parsed(ToolStyle style, const std::string& text, bool inside = false, bool single = false) {
  Answer whole;
  for (size_t size = 1; size <= text.size() + 1; ++size) {
    ToolParser parser(style, {"add", "now"}, inside, single);
    Answer answer;
    for (size_t at = 0; at < text.size(); at += size)
      add(answer, parser.push(text.substr(at, size)));
    add(answer, parser.finish());
    if (size == 1) whole = answer;
    EXPECT_EQ(answer, whole) << "pieces of " << size << ": " << text;
    EXPECT_EQ(parser.calls() > 0, !answer.calls.empty());
  }
  return whole;
}

TEST(ToolParser, TextWithoutCallsIsText) {
  for (const ToolStyle style : {ToolStyle::kHermes, ToolStyle::kHunyuan, ToolStyle::kLlama})
    for (const std::string text : {"你好。\n", "a < b <tool", "<", "x {\"name\": 1}", "  \n"})
      EXPECT_EQ(parsed(style, text), (Answer{text, {}})) << text;
}

TEST(ToolParser, Hermes) {
  EXPECT_EQ(
      parsed(ToolStyle::kHermes,
             "好的\n<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": \"}\\\"\", \"b\": "
             "[1, {}]}}\n</tool_call>\n<tool_call>\n{\"arguments\": {}, \"name\": \"now\"}\n"
             "</tool_call>"),
      (Answer{"好的", {{"add", R"({"a": "}\"", "b": [1, {}]})"}, {"now", "{}"}}}));
  EXPECT_EQ(parsed(ToolStyle::kHermes,
                   R"({"name": "now"})"
                   "\n</tool_call>",
                   true),
            (Answer{"", {{"now", "{}"}}}));
}

TEST(ToolParser, HunyuanAndMistralHaveArrays) {
  EXPECT_EQ(
      parsed(
          ToolStyle::kHunyuan,
          R"(<tool_calls>[{"name": "add", "arguments": {"a": 1}}, {"name": "now", "arguments": {}}]</tool_calls>)"),
      (Answer{"", {{"add", R"({"a": 1})"}, {"now", "{}"}}}));
  EXPECT_EQ(parsed(ToolStyle::kMistral, R"([{"name": "add", "arguments": {"a": 1}}])", true),
            (Answer{"", {{"add", R"({"a": 1})"}}}));
  ToolParser special(ToolStyle::kMistral, {"add"}, false, false);
  Answer answer;
  add(answer, special.push("说"));
  add(answer, special.push("", true));
  add(answer, special.push(R"([{"name": "add", "arguments": {}}])"));
  add(answer, special.finish());
  EXPECT_EQ(answer, (Answer{"说", {{"add", "{}"}}}));
  EXPECT_EQ(special.calls(), 1u);
}

TEST(ToolParser, LlamaCallsAreTheWholeAnswer) {
  EXPECT_EQ(parsed(ToolStyle::kLlama, R"({"name": "add", "parameters": {"a": 1}})"),
            (Answer{"", {{"add", R"({"a": 1})"}}}));
  EXPECT_EQ(parsed(ToolStyle::kLlama, R"({"x": {"name": "add"}})"),
            (Answer{R"({"x": {"name": "add"}})", {}}));
}

TEST(ToolParser, UnknownFunctionsAreText) {
  const std::string text = "<tool_call>\n{\"name\": \"rm\", \"arguments\": {}}\n</tool_call>";
  EXPECT_EQ(parsed(ToolStyle::kHermes, text).calls.size(), 0u);
  EXPECT_NE(parsed(ToolStyle::kHermes, text).content.find("\"rm\""), std::string::npos);
}

TEST(ToolParser, ArgumentsThatAreATextAreUnwrapped) {
  EXPECT_EQ(parsed(ToolStyle::kLlama, R"({"name": "add", "parameters": "{\"a\": 1}"})"),
            (Answer{"", {{"add", R"({"a": 1})"}}}));
}

TEST(ToolParser, ACutCallStandsAsFarAsItCame) {
  EXPECT_EQ(parsed(ToolStyle::kHermes, "<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": 1"),
            (Answer{"", {{"add", R"({"a": 1)"}}}));
  EXPECT_EQ(parsed(ToolStyle::kHermes, "<tool_call>\n{\"na").calls.size(), 0u);
}

TEST(ToolParser, SingleLeavesTheOthersOut) {
  const std::string call = "<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>\n";
  EXPECT_EQ(parsed(ToolStyle::kHermes, call + call, false, true).calls.size(), 1u);
}

}  // namespace
}  // namespace plinth::server
