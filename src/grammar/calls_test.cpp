#include "grammar/calls.h"

#include <gtest/gtest.h>

#include "grammar/test_vocabulary.h"

namespace plinth::grammar {
namespace {

CallSpec hermes() {
  return {.functions = {{.before = R"({"name": "add", "arguments": )",
                         .schema = R"({"type":"object","properties":{"a":{"type":"integer"}},
                                       "required":["a"],"additionalProperties":false})",
                         .after = "}"},
                        {.before = R"({"name": "now", "arguments": )",
                         .schema = R"({"type":"object","additionalProperties":false})",
                         .after = "}"}},
          .between = "\n</tool_call>\n<tool_call>\n",
          .after = "\n</tool_call>",
          .calls_max = 2};
}

std::shared_ptr<const Grammar> made(const CallSpec& spec) {
  auto grammar = Grammar::from_calls(spec);
  EXPECT_TRUE(grammar) << grammar.error().message;
  return grammar ? *grammar : nullptr;
}

const std::string kAdd = R"({"name": "add", "arguments": {"a":5}})";
const std::string kNow = R"({"name": "now", "arguments": {}})";

TEST(Calls, OneOrSeveralOfTheFunctions) {
  const auto grammar = made(hermes());
  EXPECT_TRUE(fits(grammar, kAdd + "\n</tool_call>"));
  EXPECT_TRUE(fits(grammar, kAdd + "\n</tool_call>\n<tool_call>\n" + kNow + "\n</tool_call>"));
  EXPECT_FALSE(fits(grammar, kAdd));
  EXPECT_FALSE(fits(grammar, R"({"name": "add", "arguments": {}})"
                             "\n</tool_call>"));
  EXPECT_FALSE(fits(grammar, R"({"name": "sub", "arguments": {}})"
                             "\n</tool_call>"));
  EXPECT_FALSE(fits(grammar, "text"));
}

TEST(Calls, AnyTextOrCallsBehindTheTrigger) {
  CallSpec spec = hermes();
  spec.trigger = "<tool_call>";
  spec.after_trigger.push_back('\n');
  const auto grammar = made(spec);
  const std::string call = "<tool_call>\n" + kNow + "\n</tool_call>";
  for (const std::string text :
       {"", "你好", "a < b", "<", "<<", "<tool", "<tool_call", "<tool_call <", "<<tool_cal>",
        "<tool<tool_c", "</tool_call>", "< tool_call>"}) {
    EXPECT_TRUE(fits(grammar, text)) << text;
    EXPECT_TRUE(fits(grammar, text + call)) << text;
    EXPECT_FALSE(fits(grammar, text + "<tool_call>")) << text;
    EXPECT_FALSE(fits(grammar, text + "<tool_call>x")) << text;
  }
  spec.text_schema = R"({"type":"object"})";
  const auto json = made(spec);
  EXPECT_TRUE(fits(json, R"({"x":1})"));
  EXPECT_TRUE(fits(json, call));
  EXPECT_FALSE(fits(json, "x"));
}

TEST(Calls, ErrorsNameTheFunction) {
  CallSpec spec = hermes();
  spec.functions[1].schema = R"({"not":{}})";
  const auto refused = Grammar::from_calls(spec);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().message.starts_with("function 1: ")) << refused.error().message;
  EXPECT_FALSE(Grammar::from_calls({}));
  spec = hermes();
  spec.trigger = "<<x";
  EXPECT_FALSE(Grammar::from_calls(spec));
}

}  // namespace
}  // namespace plinth::grammar
