#include "server/completion_request.h"
#include "server/test_server.h"

namespace plinth::server {
namespace {

class CompletionsTest : public ServerTest {
 protected:
  static Json body(Json prompt) {
    return {{"model", "tiny"},
            {"prompt", std::move(prompt)},
            {"max_tokens", 12},
            {"temperature", 0},
            {"seed", 3}};
  }

  Json complete(const Json& request) const { return ask("/v1/completions", request); }

  std::string refused(const char* name, Json value) const {
    Json request = body("合同");
    request[name] = std::move(value);
    const Reply reply = post_to("/v1/completions", request);
    EXPECT_EQ(reply.status, 400) << name << " " << reply.body;
    return string_or(error_of(reply), "param", "nothing");
  }
};

TEST_F(CompletionsTest, TextAndItsTokensAreTheSamePrompt) {
  const Json by_text = complete(body("合同 user"));
  const Json by_tokens = complete(body(model_->tokenizer().encode("合同 user", false)));
  EXPECT_EQ(by_text["choices"], by_tokens["choices"]);
  EXPECT_EQ(by_text["object"], "text_completion");
  EXPECT_TRUE(by_text["choices"][0]["logprobs"].is_null());
  EXPECT_EQ(by_text["usage"]["completion_tokens"], 12);
}

TEST_F(CompletionsTest, StreamedIsWhole) {
  Json request = body({"合同", "user assistant"});
  request["n"] = 2;
  request["temperature"] = 1;
  request["echo"] = true;
  request["logprobs"] = 2;
  const Json whole = complete(request);
  ASSERT_EQ(whole["choices"].size(), 4u);
  request["stream"] = true;
  request["stream_options"] = {{"include_usage", true}};
  std::vector<std::string> texts(4);
  std::vector<Json> logprobs(4);
  Json usage;
  for (const Json& chunk : events(post_to("/v1/completions", request).body)) {
    EXPECT_EQ(chunk["object"], "text_completion");
    if (chunk["choices"].empty()) usage = chunk["usage"];
    for (const Json& choice : chunk["choices"]) {
      const auto index = choice["index"].get<size_t>();
      texts[index] += choice["text"].get<std::string>();
      for (const auto& [name, list] : choice["logprobs"].items())
        for (const Json& item : list) logprobs[index][name].push_back(item);
    }
  }
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(texts[i], whole["choices"][i]["text"]);
    EXPECT_EQ(logprobs[i], whole["choices"][i]["logprobs"]);
    EXPECT_TRUE(texts[i].starts_with(i < 2 ? "合同" : "user assistant"));
  }
  EXPECT_EQ(usage["total_tokens"], whole["usage"]["total_tokens"]);
  EXPECT_EQ(total().requests, 2);
}

TEST_F(CompletionsTest, EchoGivesThePromptsLogprobsAsHarnessesReadThem) {
  const auto tokens = model_->tokenizer().encode("合同 user assistant", false);
  Json request = body(Json::array({tokens}));
  request["echo"] = true;
  request["logprobs"] = 1;
  request["max_tokens"] = 1;
  const Json logprobs = complete(request)["choices"][0]["logprobs"];
  ASSERT_EQ(logprobs["tokens"].size(), tokens.size() + 1);
  EXPECT_TRUE(logprobs["token_logprobs"][0].is_null());
  EXPECT_TRUE(logprobs["top_logprobs"][0].is_null());
  const auto scores = engine_->score({{.tokens = tokens}});
  for (size_t i = 1; i < tokens.size(); ++i) {
    EXPECT_NEAR(logprobs["token_logprobs"][i].get<float>(), (*scores)[0][i - 1], 1e-3);
    EXPECT_EQ(logprobs["top_logprobs"][i].size(), 1u);
  }
  // The token that was taken greedily is the best one, to the bit.
  EXPECT_EQ(logprobs["top_logprobs"].back().begin().value(), logprobs["token_logprobs"].back());

  request["max_tokens"] = 0;
  const Json nothing = complete(request);
  EXPECT_EQ(nothing["choices"][0]["text"], "合同 user assistant");
  EXPECT_EQ(nothing["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(nothing["usage"]["completion_tokens"], 0);
  EXPECT_EQ(nothing["choices"][0]["logprobs"]["text_offset"].back(),
            17 - static_cast<int>(nothing["choices"][0]["logprobs"]["tokens"]
                                      .back()
                                      .get_ref<const std::string&>()
                                      .size()));
  request["stream"] = true;
  EXPECT_EQ(events(post_to("/v1/completions", request).body)[0]["choices"][0]["text"],
            "合同 user assistant");
}

TEST_F(CompletionsTest, AStopEndsTheText) {
  const std::string text = complete(body("合同"))["choices"][0]["text"];
  Json request = body("合同");
  // What came third, as a stop: the text ends before it.
  request["stop"] = text.substr(text.size() / 2, 1);
  const Json choice = complete(request)["choices"][0];
  EXPECT_EQ(choice["finish_reason"], "stop");
  EXPECT_EQ(choice["text"], text.substr(0, text.find(request["stop"].get<std::string>())));
}

TEST_F(CompletionsTest, IgnoreEosGoesToTheLimit) {
  Json request = body("合同");
  request["temperature"] = 2;
  request["max_tokens"] = 400;
  request["ignore_eos"] = true;
  EXPECT_EQ(complete(request)["choices"][0]["finish_reason"], "length");
}

TEST_F(CompletionsTest, WhatCannotBeDoneIsRefusedByName) {
  EXPECT_EQ(refused("suffix", "。"), "suffix");
  EXPECT_EQ(refused("prompt", Json::array()), "prompt");
  EXPECT_EQ(refused("prompt", Json::array({1, 100000})), "prompt");
  EXPECT_EQ(refused("prompt", Json::array({1, -1})), "prompt");
  EXPECT_EQ(refused("prompt", Json::array({Json::array()})), "prompt");
  EXPECT_EQ(refused("prompt", ""), "prompt");
  EXPECT_EQ(refused("prompt", 7), "prompt");
  EXPECT_EQ(refused("best_of", 2), "best_of");
  EXPECT_EQ(refused("logprobs", 21), "logprobs");
  EXPECT_EQ(refused("max_tokens", 0), "max_tokens");
  EXPECT_EQ(refused("n", 0), "n");
  EXPECT_EQ(refused("temperature", "hot"), "temperature");
  EXPECT_EQ(refused("stream_options", Json::object()), "stream_options");
  EXPECT_EQ(total().requests, 0);
  Json request = body("x");
  request["model"] = "nobody";
  EXPECT_EQ(post_to("/v1/completions", request).status, 404);
}

TEST_F(CompletionsTest, TokenizeAndBack) {
  const Json whole =
      ask("/v1/tokenize",
          {{"model", "tiny"}, {"prompt", "合同<|im_end|>"}, {"return_token_strs", true}});
  EXPECT_EQ(whole["count"], whole["tokens"].size());
  EXPECT_EQ(whole["max_model_len"], kContext);
  EXPECT_EQ(whole["token_strs"].back(), "<|im_end|>");
  EXPECT_EQ(ask("/v1/detokenize", {{"model", "tiny"}, {"tokens", whole["tokens"]}})["prompt"],
            "合同<|im_end|>");
  // A message spells a special token in plain characters.
  const Json chat =
      ask("/v1/tokenize",
          {{"model", "tiny"}, {"messages", {{{"role", "user"}, {"content", "<|im_end|>"}}}}});
  const int32_t end = model_->tokenizer().special_id("<|im_end|>");
  EXPECT_EQ(std::ranges::count(chat["tokens"].get<std::vector<int32_t>>(), end), 1);
  EXPECT_EQ(post_to("/v1/tokenize", {{"model", "tiny"}}).status, 400);
  EXPECT_EQ(post_to("/v1/detokenize", {{"model", "tiny"}, {"tokens", {1, 99999}}}).status, 400);
  EXPECT_EQ(total().requests, 0);
}

}  // namespace
}  // namespace plinth::server
