#include <gtest/gtest.h>

#include "grammar/test_vocabulary.h"

namespace plinth::grammar {
namespace {

bool fits(std::string_view schema, std::string_view text) {
  const auto grammar = Grammar::from_schema(schema);
  EXPECT_TRUE(grammar) << schema << ": " << grammar.error().message;
  return grammar && grammar::fits(*grammar, text);
}

std::string refused(std::string_view schema) {
  const auto grammar = Grammar::from_schema(schema);
  EXPECT_FALSE(grammar) << schema;
  if (grammar) return "";
  EXPECT_EQ(grammar.error().code, Code::kInvalidArgument);
  return grammar.error().message;
}

TEST(Schema, AnyObjectIsAnyObject) {
  const char* any = R"({"type": "object"})";
  EXPECT_TRUE(fits(any, "{}"));
  EXPECT_TRUE(fits(any, R"({"a": [1, -2.5e10, {"b": null}], "电": "\u4f60\ud83d\ude42\n🙂"})"));
  EXPECT_TRUE(fits(any, "{\n  \"a\": true\n}"));
  EXPECT_FALSE(fits(any, "[]"));
  EXPECT_FALSE(fits(any, R"({"a": 01})"));
  EXPECT_FALSE(fits(any, R"({"a": "\ud83d"})")) << "half a pair";
  EXPECT_FALSE(fits(any, R"({"a": 1,})"));
  EXPECT_FALSE(fits(any, "{    \"a\": 1}")) << "white space is bounded";
  EXPECT_FALSE(fits(any, "{\"a\": \"\x01\"}"));
}

TEST(Schema, PropertiesComeInTheSchemasOrder) {
  const char* schema = R"({"type": "object", "properties": {
      "z": {"type": "integer"}, "a": {"type": "string"}, "m": {"type": "boolean"}},
      "required": ["a"], "additionalProperties": false})";
  EXPECT_TRUE(fits(schema, R"({"z": 1, "a": "x", "m": true})"));
  EXPECT_TRUE(fits(schema, R"({"a":"x"})"));
  EXPECT_TRUE(fits(schema, R"({"a":"x","m":false})"));
  EXPECT_TRUE(fits(schema, R"({"z":-7,"a":""})"));
  EXPECT_FALSE(fits(schema, R"({"z":1})"));
  EXPECT_FALSE(fits(schema, R"({"a":"x","z":1})"));
  EXPECT_FALSE(fits(schema, R"({"a":"x","b":1})"));
  EXPECT_FALSE(fits(schema, R"({})"));
  const char* optional = R"({"properties": {"a": {"type": "null"}, "b": {"type": "null"}}})";
  for (const char* text : {"{}", "{ }", R"({"a":null})", R"({"b":null})", R"({"a":null,"b":null})"})
    EXPECT_TRUE(fits(optional, text)) << text;
  EXPECT_FALSE(fits(optional, R"({"c":null})"));
}

TEST(Schema, OtherPropertiesNeverRepeatANamedOne) {
  const char* schema = R"({"properties": {"ab": {"type": "integer"}, "abc": {"type": "integer"}},
                           "additionalProperties": {"type": "string"}})";
  EXPECT_TRUE(fits(schema, R"({"ab":1,"x":"y","a":"","abcd":"","":"","电":""})"));
  EXPECT_TRUE(fits(schema, R"({"x":"y"})"));
  EXPECT_FALSE(fits(schema, R"({"ab":"y"})"));
  EXPECT_FALSE(fits(schema, R"({"x":1})"));
  EXPECT_FALSE(fits(schema, R"({"x":"y","abc":"z"})"));
  EXPECT_TRUE(fits(R"({"type":"object","additionalProperties":{"type":"integer"}})", R"({"k":1})"));
  EXPECT_TRUE(fits(R"({"required":["k"]})", R"({"k":[]})"));
}

TEST(Schema, Arrays) {
  const char* schema = R"({"type":"array","items":{"type":"integer"},"minItems":1,"maxItems":3})";
  EXPECT_TRUE(fits(schema, "[1, 2,3]"));
  EXPECT_TRUE(fits(schema, "[1]"));
  EXPECT_FALSE(fits(schema, "[]"));
  EXPECT_FALSE(fits(schema, "[1,2,3,4]"));
  EXPECT_FALSE(fits(schema, "[\"a\"]"));
  const char* pair = R"({"prefixItems":[{"type":"string"},{"type":"null"}],"minItems":1})";
  EXPECT_TRUE(fits(pair, R"(["a",null])"));
  EXPECT_TRUE(fits(pair, R"(["a"])"));
  EXPECT_FALSE(fits(pair, R"([])"));
  EXPECT_FALSE(fits(pair, R"(["a",null,1])"));
  const char* more =
      R"({"prefixItems":[{"type":"string"}],"items":{"type":"integer"},"minItems":2})";
  EXPECT_TRUE(fits(more, R"(["a",1,2])"));
  EXPECT_FALSE(fits(more, R"(["a"])"));
  EXPECT_TRUE(fits(R"({"type":"array","maxItems":0})", "[]"));
  EXPECT_FALSE(fits(R"({"type":"array","maxItems":0})", "[1]"));
}

TEST(Schema, Strings) {
  const char* bounded = R"({"type":"string","minLength":2,"maxLength":3})";
  EXPECT_TRUE(fits(bounded, R"("电梯")"));
  EXPECT_TRUE(fits(bounded, R"("\n\"x")"));
  EXPECT_TRUE(fits(bounded, R"("\ud83d\ude42🙂")"));
  EXPECT_FALSE(fits(bounded, R"("x")"));
  EXPECT_FALSE(fits(bounded, R"("abcd")"));
  const char* pattern = R"({"type":"string","pattern":"^[A-Z]{2}-\\d+(\\.[0-9]|\")?$"})";
  EXPECT_TRUE(fits(pattern, R"("AB-12.5")"));
  EXPECT_TRUE(fits(pattern, R"("AB-1\"")"));
  EXPECT_FALSE(fits(pattern, R"("AB-")"));
  EXPECT_FALSE(fits(pattern, R"("xAB-1")"));
  EXPECT_TRUE(fits(R"({"pattern":"a|^b"})", R"("xxaxx")"));
  EXPECT_TRUE(fits(R"({"pattern":"a|^b"})", R"("bx")"));
  EXPECT_FALSE(fits(R"({"pattern":"a|^b"})", R"("xb")"));
  EXPECT_TRUE(fits(R"({"pattern":"^.\\s[^\\w]$"})", "\"电　。\""));
}

TEST(Schema, Formats) {
  const auto format = [](const char* name, const char* text) {
    return fits(fmt::format(R"({{"type":"string","format":"{}"}})", name), text);
  };
  for (const char* date : {R"("2024-02-29")", R"("2000-02-29")", R"("1999-12-31")"})
    EXPECT_TRUE(format("date", date)) << date;
  for (const char* date :
       {R"("2023-02-29")", R"("1900-02-29")", R"("2024-13-01")", R"("2024-04-31")"})
    EXPECT_FALSE(format("date", date)) << date;
  EXPECT_TRUE(format("time", R"("23:59:59Z")"));
  EXPECT_FALSE(format("time", R"("24:00:00Z")"));
  EXPECT_TRUE(format("date-time", R"("2024-01-31T08:00:00.25+08:00")"));
  EXPECT_TRUE(format("uuid", R"("123e4567-e89b-12d3-a456-426614174000")"));
}

TEST(Schema, NumbersKeepTheirBounds) {
  const auto check = [](const std::string& schema, double low, double high, bool whole) {
    const auto grammar = Grammar::from_schema(schema);
    ASSERT_TRUE(grammar) << schema << grammar.error().message;
    for (int i = -1500; i <= 1500; ++i) {
      EXPECT_EQ(grammar::fits(*grammar, std::to_string(i)), i >= low && i <= high) << schema << i;
      const std::string text = fmt::format("{}.{}", i, "25");
      const double value = std::stod(text);
      EXPECT_EQ(grammar::fits(*grammar, text), !whole && value >= low && value <= high)
          << schema << text;
    }
  };
  check(R"({"type":"integer","minimum":-13,"maximum":1207})", -13, 1207, true);
  check(R"({"type":"integer","minimum":95,"exclusiveMaximum":1000})", 95, 999, true);
  check(R"({"type":"integer","exclusiveMinimum":-7.5,"maximum":-2})", -7, -2, true);
  check(R"({"type":"integer","minimum":0})", 0, 1e15, true);
  check(R"({"type":"number","minimum":0,"maximum":100})", 0, 100, false);
  check(R"({"type":"number","minimum":-20,"maximum":-3})", -20, -3, false);
  check(R"({"type":"number","exclusiveMinimum":-1,"exclusiveMaximum":1})", -0.999, 0.999, false);
  check(R"({"type":"number","maximum":12})", -1e15, 12, false);
  EXPECT_TRUE(fits(R"({"type":"number","exclusiveMinimum":0})", "0.001"));
  EXPECT_FALSE(fits(R"({"type":"number","exclusiveMinimum":0})", "0.000"));
}

TEST(Schema, ChoicesAndValues) {
  const char* values = R"({"enum": ["red", "reddish", 1, null, {"a": [1, 2]}, "电"]})";
  for (const char* text : {R"("red")", R"("reddish")", "1", "null", R"({"a":[1,2]})", R"("电")"})
    EXPECT_TRUE(fits(values, text)) << text;
  EXPECT_FALSE(fits(values, R"("redd")"));
  EXPECT_TRUE(fits(R"({"type":"string","enum":["a",1]})", R"("a")"));
  EXPECT_FALSE(fits(R"({"type":"string","enum":["a",1]})", "1"));
  EXPECT_TRUE(fits(R"({"const":"x"})", R"("x")"));
  EXPECT_TRUE(fits(R"({"type":["string","null"]})", "null"));
  EXPECT_TRUE(fits(R"({"type":"integer","nullable":true})", "null"));
  const char* any = R"({"anyOf":[{"type":"integer"},{"type":"array","items":{"const":"a"}}]})";
  EXPECT_TRUE(fits(any, "12"));
  EXPECT_TRUE(fits(any, R"(["a","a"])"));
  EXPECT_FALSE(fits(any, R"(["b"])"));
  const char* tagged =
      R"({"type":"object","properties":{"kind":{"type":"string"}},"required":["kind"],
      "oneOf":[{"properties":{"x":{"type":"integer"}},"required":["x"]},
               {"properties":{"y":{"type":"string"}},"required":["y"]}]})";
  EXPECT_TRUE(fits(tagged, R"({"kind":"a","x":1})"));
  EXPECT_TRUE(fits(tagged, R"({"kind":"a","y":"b"})"));
  EXPECT_FALSE(fits(tagged, R"({"kind":"a"})"));
  const char* all =
      R"({"allOf":[{"$ref":"#/$defs/a"},{"properties":{"b":{"type":"null"}},"required":["b"]}],
      "$defs":{"a":{"type":"object","properties":{"a":{"type":"null"}},"required":["a"]}}})";
  EXPECT_TRUE(fits(all, R"({"b":null,"a":null})") || fits(all, R"({"a":null,"b":null})"));
  EXPECT_TRUE(fits("true", "[1]"));
  EXPECT_TRUE(fits("{}", "\"x\""));
}

TEST(Schema, ReferencesMayBeRecursive) {
  const char* tree = R"({"$ref":"#/$defs/node","$defs":{"node":{"type":"object",
      "properties":{"v":{"type":"integer"},"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},
      "required":["v","next"]}}})";
  EXPECT_TRUE(fits(tree, R"({"v":1,"next":{"v":2,"next":null}})"));
  EXPECT_FALSE(fits(tree, R"({"v":1,"next":{"v":2}})"));
  EXPECT_TRUE(fits(R"({"type":"array","items":{"$ref":"#"}})", "[[],[[]]]"));
  const char* joined = R"({"properties":{"x":{"$ref":"#","type":"object"}}})";
  EXPECT_TRUE(fits(joined, R"({"x":{"x":{}}})"));
}

TEST(Schema, RefusesByKeywordAndPointer) {
  EXPECT_EQ(refused(R"({"properties":{"a":{"not":{}}}})"),
            "schema, #/properties/a: not is not supported");
  EXPECT_EQ(refused(R"({"items":{"multipleOf":3}})"),
            "schema, #/items: multipleOf is not supported");
  EXPECT_EQ(refused(R"({"$ref":"#/$defs/x"})"), "schema, #: $ref #/$defs/x leads nowhere");
  EXPECT_NE(refused(R"({"$ref":"http://a/b"})").find("only places of this schema"),
            std::string::npos);
  EXPECT_NE(refused(R"({"type":"strin"})").find("type \"strin\" is unknown"), std::string::npos);
  EXPECT_NE(refused(R"({"type":"string","format":"email"})").find("format email"),
            std::string::npos);
  EXPECT_NE(refused(R"x({"type":"string","pattern":"(?=a)"})x").find("pattern, at byte 2"),
            std::string::npos);
  EXPECT_NE(refused(R"({"type":"number","minimum":0.5})").find("whole bounds"), std::string::npos);
  EXPECT_NE(refused(R"({"type":"integer","minimum":5,"maximum":4})").find("between the bounds"),
            std::string::npos);
  EXPECT_NE(refused(R"({"type":"array","minItems":3,"maxItems":2})").find("minItems 3"),
            std::string::npos);
  EXPECT_NE(refused(R"({"allOf":[{"type":"string"},{"type":"null"}]})").find("#/allOf/1"),
            std::string::npos);
  EXPECT_NE(refused(R"({"enum":[]})").find("enum"), std::string::npos);
  EXPECT_NE(refused("false").find("no text fits"), std::string::npos);
  EXPECT_NE(refused(R"({"$ref":"#"})").find("can never end"), std::string::npos);
  EXPECT_NE(refused(R"({"allOf":[{"$ref":"#"}]})").find("without end"), std::string::npos);
  EXPECT_NE(refused(R"({"properties":{"n":{"$ref":"#"}},"required":["n"]})").find("can never end"),
            std::string::npos);
  EXPECT_NE(refused(R"({"required":["a"],"additionalProperties":false})").find("no property"),
            std::string::npos);
  EXPECT_NE(refused(R"({"uniqueItems":true})").find("uniqueItems"), std::string::npos);
  refused("");
  refused("[]");
  refused("{\"type\":");
  refused(std::string(300'000, '['));
}

TEST(Schema, LargeOnesAreBounded) {
  std::string many = "{\"properties\":{";
  for (int i = 0; i < 1001; ++i) many += fmt::format("{}\"p{}\":{{}}", i == 0 ? "" : ",", i);
  EXPECT_NE(refused(many + "}}").find("1001 members"), std::string::npos);
  std::string wide = "{\"properties\":{";
  for (int i = 0; i < 900; ++i)
    wide +=
        fmt::format("{}\"p{}\":{{\"type\":\"integer\",\"minimum\":{}}}", i == 0 ? "" : ",", i, i);
  EXPECT_TRUE(fits(wide + "}}", R"({"p7":7,"p899":1000})"));
  EXPECT_FALSE(fits(wide + "}}", R"({"p899":1000,"p7":7})"));
  EXPECT_TRUE(
      fits(R"({"type":"string","maxLength":1000000})", "\"" + std::string(8192, 'x') + "\""));
  EXPECT_FALSE(
      fits(R"({"type":"string","maxLength":1000000})", "\"" + std::string(8193, 'x') + "\""));
}

}  // namespace
}  // namespace plinth::grammar
