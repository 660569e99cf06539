#include "server/chat_request.h"

#include <gtest/gtest.h>

#include "core/json.h"
#include "core/rng.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace plinth::server {
namespace {

Json minimal() {
  return {{"model", "m"}, {"messages", {{{"role", "user"}, {"content", "你好"}}}}};
}

// The field that a body is refused for.
std::string refused(const Json& body) {
  std::string param = "nothing";
  const auto request = parse_chat_request(to_text(body), param);
  EXPECT_FALSE(request) << to_text(body);
  if (!request) {
    EXPECT_EQ(request.error().code, Code::kInvalidArgument);
  }
  return param;
}

std::string refused_with(const char* name, Json value) {
  Json body = minimal();
  body[name] = std::move(value);
  return refused(body);
}

ChatRequest accepted(const Json& body) {
  std::string param;
  auto request = parse_chat_request(to_text(body), param);
  EXPECT_TRUE(request) << request.error().message;
  return request ? *std::move(request) : ChatRequest();
}

TEST(ChatRequest, ReadsEveryFieldOfAnOrdinaryClient) {
  Json body = minimal();
  body.update(Json{{"max_tokens", 10},
                   {"max_completion_tokens", 12},
                   {"temperature", 0.5},
                   {"top_p", 0.9},
                   {"n", 3},
                   {"typical_p", 0.7},
                   {"stop_token_ids", {5, 6}},
                   {"stop", {"a", "b"}},
                   {"seed", 7},
                   {"logprobs", true},
                   {"top_logprobs", 3},
                   {"logit_bias", {{"5", -100}}},
                   {"presence_penalty", 0.1},
                   {"frequency_penalty", -0.2},
                   {"response_format", {{"type", "text"}}},
                   {"stream", true},
                   {"stream_options", {{"include_usage", true}}},
                   {"user", "u"},
                   {"metadata", {{"k", "v"}}},
                   {"tools", Json::array()},
                   {"tool_choice", "none"}});
  const ChatRequest request = accepted(body);
  EXPECT_EQ(request.tokens_max, 12);
  EXPECT_FLOAT_EQ(request.sampling.temperature, 0.5f);
  EXPECT_EQ(request.stop, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(request.stop_tokens, (std::vector<int32_t>{5, 6}));
  EXPECT_EQ(request.n, 3);
  EXPECT_FLOAT_EQ(request.sampling.typical_p, 0.7f);
  EXPECT_EQ(request.sampling.seed, 7u);
  EXPECT_EQ(request.sampling.top_logprobs, 3);
  EXPECT_EQ(request.sampling.logit_bias.at(0).first, 5);
  EXPECT_TRUE(request.stream && request.include_usage && request.logprobs);
}

TEST(ChatRequest, NullIsAsGoodAsMissing) {
  Json body = minimal();
  for (const char* name : {"max_tokens", "temperature", "stop", "tools", "response_format", "n",
                           "seed", "stream", "stream_options", "logit_bias"})
    body[name] = nullptr;
  EXPECT_FALSE(accepted(body).tokens_max.has_value());
}

TEST(ChatRequest, JoinsTextPartsAndTakesDevelopersForSystem) {
  Json body = minimal();
  body["messages"] = {
      {{"role", "developer"}, {"content", "r"}},
      {{"role", "assistant"}, {"content", nullptr}},
      {{"role", "user"},
       {"content", {{{"type", "text"}, {"text", "a"}}, {{"type", "text"}, {"text", "b"}}}}}};
  const ChatRequest request = accepted(body);
  EXPECT_EQ(request.messages[0].role, "system");
  EXPECT_EQ(request.messages[1].content, "");
  EXPECT_EQ(request.messages[2].content, "ab");
}

TEST(ChatRequest, WithoutASeedEveryRequestHasItsOwn) {
  EXPECT_NE(accepted(minimal()).sampling.seed, accepted(minimal()).sampling.seed);
}

TEST(ChatRequest, AFieldThatNobodyKnowsIsRefusedByName) {
  EXPECT_EQ(refused_with("temprature", 0.5), "temprature");
  EXPECT_EQ(refused_with("verbosity", "low"), "verbosity");
  EXPECT_EQ(refused_with("service_tier", "flex"), "service_tier");
  EXPECT_EQ(refused_with("priority", 1001), "priority");
  Json body = minimal();
  body["stream"] = true;
  body["stream_options"] = {{"include_usages", true}};
  EXPECT_EQ(refused(body), "stream_options.include_usages");
  body = minimal();
  body["messages"][0]["audio"] = {{"id", "x"}};
  EXPECT_EQ(refused(body), "messages[0].audio");
  body = minimal();
  body["response_format"] = {{"type", "json_schema"},
                             {"json_schema", {{"schema", Json::object()}, {"strickt", true}}}};
  EXPECT_EQ(refused(body), "response_format.json_schema.strickt");
  // Null asks for nothing, and what clients send along anyway is understood.
  body = minimal();
  body["whatever"] = nullptr;
  body["service_tier"] = "auto";
  body["prompt_cache_key"] = "k";
  body["safety_identifier"] = "u";
  body["store"] = false;
  body["messages"][0]["name"] = "li";
  EXPECT_EQ(accepted(body).messages[0].name, "li");
}

TEST(ChatRequest, NamesTheFieldItCannotHonour) {
  EXPECT_EQ(refused_with("n", 0), "n");
  EXPECT_EQ(refused_with("n", 129), "n");
  EXPECT_EQ(refused_with("n", 1.5), "n");
  EXPECT_EQ(refused_with("typical_p", 0), "typical_p");
  EXPECT_EQ(refused_with("typical_p", 1.1), "typical_p");
  EXPECT_EQ(refused_with("top_p", 0), "top_p");
  EXPECT_EQ(refused_with("min_p", 1.1), "min_p");
  EXPECT_EQ(refused_with("repetition_penalty", 0), "repetition_penalty");
  EXPECT_EQ(refused_with("stop_token_ids", 5), "stop_token_ids");
  EXPECT_EQ(refused_with("stop_token_ids", {-1}), "stop_token_ids");
  EXPECT_EQ(refused_with("tools", Json::array({{{"type", "function"}}})), "tools");
  EXPECT_EQ(refused_with("functions", Json::array({1})), "functions");
  EXPECT_EQ(refused_with("tool_choice", "required"), "tool_choice");
  EXPECT_EQ(refused_with("response_format", {{"type", "grammar"}}), "response_format");
  EXPECT_EQ(refused_with("response_format", {{"type", "json_schema"}}), "response_format");
  EXPECT_EQ(
      refused_with("response_format", {{"type", "json_schema"}, {"json_schema", {{"name", "x"}}}}),
      "response_format");
  EXPECT_EQ(refused_with("response_format", "text"), "response_format");
  EXPECT_EQ(refused_with("modalities", {"text", "audio"}), "modalities");
  EXPECT_EQ(refused_with("temperature", 2.5), "temperature");
  EXPECT_EQ(refused_with("temperature", "hot"), "temperature");
  EXPECT_EQ(refused_with("top_p", -1), "top_p");
  EXPECT_EQ(refused_with("max_tokens", 0), "max_tokens");
  EXPECT_EQ(refused_with("max_tokens", 1.5), "max_tokens");
  EXPECT_EQ(refused_with("stop", Json::array({""})), "stop");
  EXPECT_EQ(refused_with("stop", 3), "stop");
  EXPECT_EQ(refused_with("seed", "x"), "seed");
  EXPECT_EQ(refused_with("top_logprobs", 2), "top_logprobs");
  EXPECT_EQ(refused_with("logit_bias", {{"x", 1}}), "logit_bias");
  EXPECT_EQ(refused_with("logit_bias", {{"1", 101}}), "logit_bias");
  EXPECT_EQ(refused_with("stream", 1), "stream");
  EXPECT_EQ(refused_with("stream_options", Json::object()), "stream_options");
  EXPECT_EQ(refused_with("model", 1), "model");
  EXPECT_EQ(refused_with("messages", Json::array()), "messages");
  EXPECT_EQ(refused_with("messages", Json::array({1})), "messages[0]");
  EXPECT_EQ(refused_with("messages", {{{"role", "robot"}, {"content", "x"}}}), "messages[0].role");
  EXPECT_EQ(refused_with("messages", {{{"role", "user"}}}), "messages[0].content");
  EXPECT_EQ(refused_with("messages", {{{"role", "user"}, {"content", {{{"type", "image_url"}}}}}}),
            "messages[0].content[0]");
}

TEST(ChatRequest, TakesTheSchemaAsTheClientWroteIt) {
  Json body = minimal();
  EXPECT_EQ(accepted(body).schema, "");
  body["response_format"] = {{"type", "json_object"}};
  EXPECT_EQ(accepted(body).schema, R"({"type":"object"})");
  std::string param;
  const auto request = parse_chat_request(
      R"({"model":"m","messages":[{"role":"user","content":"\"response_format\":{"}],
          "response_format": {"json_schema": {"name": "n]}\"", "schema"
          : {"z": [1, "}"], "a": {}} , "strict": true}, "type": "json_schema"}, "n": 1})",
      param);
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->schema, R"( {"z": [1, "}"], "a": {}} )");
}

TEST(ChatRequest, RefusesWhatIsNoObject) {
  std::string param;
  for (const char* body : {"", "{", "[]", "null", "\"x\"", "{\"model\":\"m\"", "\xff"})
    EXPECT_FALSE(parse_chat_request(body, param)) << body;
}

TEST(ChatRequest, AnyMutationIsRefusedOrUsable) {
  Json body = minimal();
  body.update(
      Json{{"stop", {"a"}}, {"logit_bias", {{"5", 1}}}, {"stream", true}, {"max_tokens", 5}});
  const std::string seed = to_text(body);
  Rng rng(3);
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = seed;
    for (int flips = 0; flips < 3; ++flips)
      bytes[rng.below(bytes.size())] = static_cast<char>(32 + rng.below(96));
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  }
}

}  // namespace
}  // namespace plinth::server
