#include "server/server.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "knowledge/knowledge.h"
#include "server/publish.h"
#include "server/test_server.h"

namespace plinth::server {
namespace {

TEST_F(ServerTest, ARevokedKeyEndsAtOnceAlsoFromAnotherProcess) {
  TestClient client(server_->port());
  EXPECT_EQ(client.request("GET", "/v1/models", "", key_).status, 200);
  auto other = *store::Store::open(home_.path());
  ASSERT_TRUE(other->revoke_key(key_.substr(0, 19)));
  EXPECT_EQ(client.request("GET", "/v1/models", "", key_).status, 401);
}

TEST_F(ServerTest, StreamedIsWhole) {
  for (const double temperature : {0.0, 1.0}) {
    Json body = chat("合同");
    body["temperature"] = temperature;
    body["logprobs"] = true;
    body["top_logprobs"] = 2;
    const Json whole = *parse_json(post(body).body, "answer");
    body["stream"] = true;
    body["stream_options"] = {{"include_usage", true}};
    const Reply reply = post(body);
    EXPECT_EQ(reply.status, 200);
    EXPECT_TRUE(reply.headers.at("content-type").starts_with("text/event-stream"));
    const auto chunks = events(reply.body);
    EXPECT_EQ(text_of(chunks), whole["choices"][0]["message"]["content"]);
    EXPECT_EQ(chunks.front()["choices"][0]["delta"]["role"], "assistant");

    Json logprobs = Json::array();
    for (size_t i = 0; i + 1 < chunks.size(); ++i) {
      EXPECT_TRUE(chunks[i].at("usage").is_null());
      const Json& choice = chunks[i]["choices"][0];
      if (choice.contains("logprobs"))
        for (const Json& token : choice["logprobs"]["content"]) logprobs.push_back(token);
    }
    EXPECT_EQ(logprobs, whole["choices"][0]["logprobs"]["content"]);
    EXPECT_FALSE(logprobs.empty());
    EXPECT_EQ(logprobs[0]["top_logprobs"].size(), 2u);
    EXPECT_EQ(chunks[chunks.size() - 2]["choices"][0]["finish_reason"],
              whole["choices"][0]["finish_reason"]);
    EXPECT_TRUE(chunks.back()["choices"].empty());
    EXPECT_EQ(chunks.back()["usage"]["total_tokens"], whole["usage"]["total_tokens"]);
    EXPECT_TRUE(whole["usage"]["prompt_tokens_details"].contains("cached_tokens"));
  }
}

TEST_F(ServerTest, ChoicesAreAnswersOfTheirOwnAndThePromptIsPaidOnce) {
  Json body = chat("合同");
  body["temperature"] = 1;
  std::vector<Json> alone;
  int64_t completion = 0;
  for (int i = 0; i < 3; ++i) {
    body["seed"] = 11 + i;
    alone.push_back(*parse_json(post(body).body, "answer"));
    completion += alone.back()["usage"]["completion_tokens"].get<int64_t>();
  }
  body["seed"] = 11;
  body["n"] = 3;
  const Json whole = *parse_json(post(body).body, "answer");
  ASSERT_EQ(whole["choices"].size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(whole["choices"][i]["index"], i);
    for (const char* key : {"message", "finish_reason"})
      EXPECT_EQ(whole["choices"][i][key], alone[i]["choices"][0][key]);
  }
  EXPECT_EQ(whole["usage"]["prompt_tokens"], alone[0]["usage"]["prompt_tokens"]);
  EXPECT_EQ(whole["usage"]["completion_tokens"], completion);
  EXPECT_EQ(total().requests, 4);
  EXPECT_EQ(total().completion_tokens, 2 * completion);

  body["stream"] = true;
  std::vector<std::string> texts(3);
  std::vector<int> ends(3);
  for (const Json& chunk : events(post(body).body)) {
    const Json& choice = chunk["choices"][0];
    const auto index = choice["index"].get<size_t>();
    texts[index] += string_or(choice["delta"], "content", "");
    ends[index] += choice["finish_reason"].is_null() ? 0 : 1;
  }
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(texts[i], whole["choices"][i]["message"]["content"]);
    EXPECT_EQ(ends[i], 1);
  }
}

TEST_F(ServerTest, AnAdapterIsLoadedWhenItsModelIsAsked) {
  const auto& config = model_->config();
  const auto adapter = engine::random_adapter(config, 4, 1, "x");
  const Path folder = home_.folder() / "adapter";
  ASSERT_TRUE(model::write_peft(folder, *adapter, config));
  const auto release = publish(*store_, {.name = "law",
                                         .base_digest = model_->digest(),
                                         .adapter = folder,
                                         .verdict = R"({"passed": true})"});
  ASSERT_TRUE(release) << release.error().message;
  EXPECT_EQ(engine_->stats().adapters.registered, 0);
  Json body = chat("合同");
  body["temperature"] = 0;
  const Json base = *parse_json(post(body).body, "answer");
  body["model"] = "law";
  const Json tuned = *parse_json(post(body).body, "answer");
  EXPECT_NE(tuned["choices"][0]["message"]["content"], base["choices"][0]["message"]["content"]);
  EXPECT_EQ(engine_->stats().adapters.loads, 1);
  EXPECT_GT(engine_->stats().adapters.resident_bytes, 0);
  TestClient client(server_->port());
  EXPECT_NE(client.request("GET", "/metrics").body.find("plinth_engine_adapters_resident 1"),
            std::string::npos);
}

TEST_F(ServerTest, ABrokenAdapterArtifactIsAnErrorThatTellsNoPaths) {
  const auto adapter = engine::random_adapter(model_->config(), 4, 1, "x");
  const Path folder = home_.folder() / "adapter";
  ASSERT_TRUE(model::write_peft(folder, *adapter, model_->config()));
  const auto release = publish(*store_, {.name = "law",
                                         .base_digest = model_->digest(),
                                         .adapter = folder,
                                         .verdict = R"({"passed": true})"});
  const Path stored = *store_->artifacts().find(release->adapter_digest);
  ASSERT_TRUE(write_file_atomic(stored / "adapter_model.safetensors", "rot"));
  Json body = chat("x");
  body["model"] = "law";
  const Reply reply = post(body);
  EXPECT_EQ(reply.status, 500);
  EXPECT_EQ(reply.body.find(stored.string()), std::string::npos);
}

TEST_F(ServerTest, AStreamThatHasNothingToSayYetSaysSo) {
  start({.port = 0, .keep_alive_ms = 1});
  std::string text;
  for (int i = 0; i < 1500; ++i) text += "合同";
  Json body = chat(text);
  body["stream"] = true;
  body["max_tokens"] = 2;
  std::string stream = post(body).body;
  const std::string comment = ": keep-alive\n\n";
  size_t comments = 0;
  for (size_t at = 0; (at = stream.find(comment)) != std::string::npos; ++comments)
    stream.erase(at, comment.size());
  EXPECT_GE(comments, 1u);
  EXPECT_GE(events(stream).size(), 2u);
}

TEST_F(ServerTest, AnErrorInMidStreamIsAnEventAndTheEnd) {
  Json body = endless();
  body["deadline_ms"] = 100;
  const Reply reply = post(body);
  EXPECT_EQ(reply.status, 200);
  const size_t last = reply.body.rfind("data: ");
  ASSERT_NE(last, std::string::npos);
  const auto json = parse_json(reply.body.substr(last + 6), "event");
  ASSERT_TRUE(json && json->contains("error")) << reply.body.substr(last);
  for (const char* key : {"message", "type", "param", "code"})
    EXPECT_TRUE((*json)["error"].contains(key));
  EXPECT_EQ(reply.body.find("[DONE]"), std::string::npos);
  // What was computed is paid.
  EXPECT_TRUE(eventually([&] { return total().requests == 1; }));
  EXPECT_GT(total().completion_tokens, 0);
  // Before anything was streamed the error has a status of its own.
  body["stream"] = false;
  EXPECT_EQ(post(body).status, 504);
}

TEST_F(ServerTest, WithoutIncludeUsageThereIsNone) {
  Json body = chat("x");
  body["stream"] = true;
  for (const Json& chunk : events(post(body).body)) EXPECT_FALSE(chunk.contains("usage"));
}

TEST_F(ServerTest, ErrorsNameWhatIsWrong) {
  EXPECT_EQ(post_text("{").status, 400);
  EXPECT_EQ(error_of(post_text("{"))["type"], "invalid_request_error");

  Json body = chat("x");
  body["model"] = "nobody";
  const Reply unknown = post(body);
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(error_of(unknown)["code"], "model_not_found");

  body = chat("x");
  body["n"] = 129;
  EXPECT_EQ(error_of(post(body))["param"], "n");
  body = chat("x");
  body["response_format"] = {
      {"type", "json_schema"},
      {"json_schema", {{"name", "x"}, {"schema", {{"not", Json::object()}}}}}};
  EXPECT_EQ(error_of(post(body))["param"], "response_format");
  EXPECT_EQ(error_of(post(body))["message"], "schema, #: not is not supported");

  const Reply large = post_text(std::string((size_t{4} << 20) + 1, ' '));
  EXPECT_EQ(large.status, 413);
  error_of(large);

  std::string words;
  for (int i = 0; i < kContext; ++i) words += "ab ";
  const Reply long_prompt = post(chat(words));
  EXPECT_EQ(long_prompt.status, 400);
  EXPECT_EQ(error_of(long_prompt)["code"], "context_length_exceeded");
  EXPECT_EQ(total().requests, 0);
}

TEST_F(ServerTest, AResponseFormatIsFollowed) {
  const std::string body = R"({"model":"tiny","messages":[{"role":"user","content":"x"}],"seed":5,
    "response_format":{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":
    {"type":"object","properties":{"z":{"type":"integer"},"a":{"enum":["合同","x"]}},
     "required":["z","a"],"additionalProperties":false}}}})";
  const Reply reply = post_text(body);
  ASSERT_EQ(reply.status, 200) << reply.body;
  const Json choice = (*parse_json(reply.body, "reply"))["choices"][0];
  EXPECT_EQ(choice["finish_reason"], "stop");
  const std::string text = choice["message"]["content"];
  const auto json = parse_json(text, "answer");
  ASSERT_TRUE(json) << text;
  EXPECT_TRUE((*json)["z"].is_number_integer());
  EXPECT_TRUE((*json)["a"] == "合同" || (*json)["a"] == "x");
  EXPECT_LT(text.find("\"z\""), text.find("\"a\"")) << "in the order of the schema";

  Json object = chat("x");
  object["response_format"] = {{"type", "json_object"}};
  object["stream"] = true;
  object["max_tokens"] = 4;
  const auto chunks = events(post(object).body);
  EXPECT_TRUE(text_of(chunks).starts_with("{"));
}

TEST_F(ServerTest, ListsTheBaseAndFindsItByName) {
  TestClient client(server_->port());
  const Json list = *parse_json(client.request("GET", "/v1/models", "", key_).body, "models");
  EXPECT_EQ(list["data"][0]["id"], "tiny");
  EXPECT_EQ(list["data"][0]["object"], "model");
  EXPECT_EQ(client.request("GET", "/v1/models/tiny", "", key_).status, 200);
  EXPECT_EQ(client.request("GET", "/v1/models/huge", "", key_).status, 404);
}

TEST_F(ServerTest, AHangUpCancelsAndIsBilledForWhatWasDone) {
  TestClient client(server_->port());
  client.send_request("POST", "/v1/chat/completions", to_text(endless()), key_);
  client.read_until("\"content\":\"");
  client.hang_up();
  ASSERT_TRUE(eventually([&] { return total().requests == 1; }));
  EXPECT_EQ(engine_->stats().running, 0);
  EXPECT_GT(total().completion_tokens, 0);
  EXPECT_LT(total().completion_tokens, kContext - 200);
}

TEST_F(ServerTest, TheLedgerAddsUpUnderConcurrentClients) {
  std::atomic<int64_t> prompt = 0;
  std::atomic<int64_t> completion = 0;
  std::atomic<int> answered = 0;
  std::vector<std::thread> clients;
  for (int c = 0; c < 4; ++c)
    clients.emplace_back([&, c] {
      for (int i = 0; i < 5; ++i) {
        Json body = chat(fmt::format("问题 {} {}", c, i));
        const bool stream = i % 2 == 0;
        body["stream"] = stream;
        if (stream) body["stream_options"] = {{"include_usage", true}};
        const Reply reply = post(body);
        ASSERT_EQ(reply.status, 200) << reply.body;
        const Json usage =
            stream ? events(reply.body).back()["usage"] : (*parse_json(reply.body, "x"))["usage"];
        prompt += usage["prompt_tokens"].get<int64_t>();
        completion += usage["completion_tokens"].get<int64_t>();
        ++answered;
      }
    });
  for (auto& client : clients) client.join();
  EXPECT_EQ(answered, 20);
  // Durable before the answer's end was sent: no waiting here.
  EXPECT_EQ(total().requests, 20);
  EXPECT_EQ(total().prompt_tokens, prompt);
  EXPECT_EQ(total().completion_tokens, completion);
}

TEST_F(ServerTest, StopLetsAnAnswerFinishWithinTheDrain) {
  TestClient client(server_->port());
  Json body = endless();
  body["max_tokens"] = 200;
  client.send_request("POST", "/v1/chat/completions", to_text(body), key_);
  client.read_until("\"content\":\"");
  server_->stop();
  const auto chunks = events(client.read_reply().body);
  EXPECT_EQ(chunks.back()["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(total().completion_tokens, 200);
}

TEST_F(ServerTest, StopCancelsWhatOutlastsTheDrainAndBillsIt) {
  start({.port = 0, .drain_ms = 20});
  TestClient client(server_->port());
  client.send_request("POST", "/v1/chat/completions", to_text(endless()), key_);
  client.read_until("\"content\":\"");
  server_->stop();
  const std::string body = client.read_reply().body;  // to its last chunk
  EXPECT_EQ(body.find("[DONE]"), std::string::npos);
  const size_t last = body.rfind("data: ");
  ASSERT_NE(last, std::string::npos) << body;
  const auto event = parse_json(body.substr(last + 6), "event");
  ASSERT_TRUE(event && event->contains("error")) << body.substr(last);
  EXPECT_EQ((*event)["error"]["message"],
            "the server is shutting down: the answer is not complete");
  EXPECT_EQ(total().requests, 1);
  EXPECT_LT(total().completion_tokens, kContext - 200);
}

TEST_F(ServerTest, AnAnswerInOnePieceThatOutlastsTheDrainIsAnError) {
  start({.port = 0, .drain_ms = 20});
  TestClient client(server_->port());
  Json body = endless();
  body["stream"] = false;
  client.send_request("POST", "/v1/chat/completions", to_text(body), key_);
  ASSERT_TRUE(eventually([&] { return engine_->stats().running > 0; }));
  server_->stop();
  const Reply reply = client.read_reply();
  EXPECT_EQ(reply.status, 503);
  EXPECT_NE(reply.body.find("shutting down"), std::string::npos) << reply.body;
  EXPECT_EQ(total().requests, 1);
}

// Whatever reads long texts: it ends with its client, and not when all is read.
TEST_F(ServerTest, WhatOutlastsTheDrainIsAnErrorOfEveryKind) {
  const std::vector<std::string> texts(64, std::string(4000, 'x'));
  const std::vector<std::pair<std::string, Json>> asked = {
      {"/v1/embeddings", {{"model", "tiny"}, {"input", texts}}},
      {"/v1/rerank", {{"model", "tiny"}, {"query", "x"}, {"documents", texts}}},
      {"/v1/completions",
       {{"model", "tiny"}, {"prompt", texts}, {"max_tokens", 0}, {"echo", true}, {"logprobs", 1}}}};
  for (const auto& [path, body] : asked) {
    SCOPED_TRACE(path);
    start({.port = 0, .drain_ms = 20});
    const int64_t rows = engine_->stats().rows;
    TestClient client(server_->port());
    client.send_request("POST", path, to_text(body), key_);
    ASSERT_TRUE(eventually([&] { return engine_->stats().rows > rows; }));
    std::thread stopping([&] { server_->stop(); });
    const Reply reply = client.read_reply();
    client.hang_up();
    stopping.join();
    EXPECT_EQ(reply.status, 503);
    EXPECT_EQ(reply.headers.at("connection"), "close");
    EXPECT_TRUE(reply.headers.contains("retry-after"));
    EXPECT_NE(reply.body.find("shutting down"), std::string::npos) << reply.body;
    EXPECT_NE(reply.body.find("server_error"), std::string::npos) << reply.body;
    EXPECT_LT(engine_->stats().rows - rows, 64 * 4000);
  }
}

TEST_F(ServerTest, HealthAndMetricsTellTheTruth) {
  ASSERT_EQ(post(chat("x")).status, 200);
  TestClient client(server_->port());
  const Reply health = client.request("GET", "/healthz");
  EXPECT_EQ(health.status, 200);
  EXPECT_TRUE((*parse_json(health.body, "health"))["ready"]);
  const std::string metrics = client.request("GET", "/metrics").body;
  for (const char* name :
       {"plinth_time_to_first_token_seconds_bucket", "plinth_tokens_total{kind=\"completion\"}",
        "plinth_http_requests_total{code=\"200\"}", "plinth_engine_steps",
        "plinth_engine_kv_blocks_free"})
    EXPECT_NE(metrics.find(name), std::string::npos) << name;
}

TEST_F(ServerTest, ADomainModelCitesItsKnowledgeAndFlipsWithItsAlias) {
  const auto index = knowledge::Index::build(std::vector<knowledge::Document>{
      {.id = "civil",
       .title = "合同法",
       .text =
           "第一章 总则\n第一条 租赁合同期限不得超过二十年。\n第二条 买卖合同的标的物应当交付。\n",
       .source_path = "laws/civil.pdf",
       .source_sha256 = "ab",
       .page = 3}});
  PublishRequest request{.name = "law",
                         .base_digest = model_->digest(),
                         .system_prompt = "你是律师。",
                         .knowledge = &*index,
                         .verdict = R"({"passed": true})"};
  const auto first = publish(*store_, request);
  ASSERT_TRUE(first) << first.error().message;
  Json body = chat("租赁合同最长多少年？");
  body["model"] = "law";
  const Json whole = *parse_json(post(body).body, "answer");
  const Json citations = whole["choices"][0]["message"]["citations"];
  ASSERT_FALSE(citations.empty()) << to_text(whole);
  EXPECT_EQ(citations[0]["index"], 1);
  EXPECT_EQ(citations[0]["document"], "civil");
  EXPECT_EQ(citations[0]["section"], "第一章 总则 > 第一条");
  EXPECT_EQ(citations[0]["source"], "laws/civil.pdf");
  EXPECT_EQ(citations[0]["page"], 3);
  EXPECT_EQ(whole["system_fingerprint"], "fp_" + first->digest.substr(0, 12));
  const int64_t short_prompt = whole["usage"]["prompt_tokens"];

  Json streamed = body;
  streamed["stream"] = true;
  EXPECT_EQ(events(post(streamed).body).back()["choices"][0]["delta"]["citations"], citations);

  // The next release puts the passages into the prompt; the next request uses it.
  request.knowledge_in_prompt = true;
  const auto second = publish(*store_, request);
  const Json longer = *parse_json(post(body).body, "answer");
  EXPECT_EQ(longer["system_fingerprint"], "fp_" + second->digest.substr(0, 12));
  EXPECT_GT(longer["usage"]["prompt_tokens"].get<int64_t>(), short_prompt + 20);
  ASSERT_TRUE(store_->rollback("law"));
  EXPECT_EQ((*parse_json(post(body).body, "answer"))["system_fingerprint"],
            "fp_" + first->digest.substr(0, 12));

  TestClient client(server_->port());
  EXPECT_EQ(client.request("GET", "/v1/models/law", "", key_).status, 200);
  EXPECT_EQ(
      (*parse_json(post(chat("x")).body, "answer"))["choices"][0]["message"].contains("citations"),
      false);
}

TEST_F(ServerTest, AReleaseOfAnotherBaseIsNotServed) {
  ASSERT_TRUE(
      publish(*store_, {.name = "law", .base_digest = "other", .verdict = R"({"passed": true})"}));
  Json body = chat("x");
  body["model"] = "law";
  EXPECT_EQ(post(body).status, 404);
  TestClient client(server_->port());
  const Json list = *parse_json(client.request("GET", "/v1/models", "", key_).body, "models");
  EXPECT_EQ(list["data"].size(), 1u);
}

TEST_F(ServerTest, ABrokenKnowledgeArtifactIsAnErrorThatTellsNoPaths) {
  const auto index =
      knowledge::Index::build(std::vector<knowledge::Document>{{.id = "a", .text = "x"}});
  const auto release = publish(*store_, {.name = "law",
                                         .base_digest = model_->digest(),
                                         .knowledge = &*index,
                                         .verdict = R"({"passed": true})"});
  const Path path = *store_->artifacts().find(release->knowledge_digest);
  ASSERT_TRUE(write_file_atomic(path, "rot"));
  Json body = chat("x");
  body["model"] = "law";
  const Reply reply = post(body);
  EXPECT_EQ(reply.status, 500);
  EXPECT_EQ(reply.body.find(path.string()), std::string::npos);
}

}  // namespace
}  // namespace plinth::server
