#include <bit>
#include <cmath>
#include <cstring>

#include "server/test_server.h"
#include "text/base64.h"

namespace plinth::server {
namespace {

class EmbeddingsTest : public ServerTest {
 protected:
  Json embed(Json input, Json more = Json::object()) const {
    more.update({{"model", "tiny"}, {"input", std::move(input)}});
    return ask("/v1/embeddings", more);
  }

  std::string refused(std::string_view path, const Json& body) const {
    const Reply reply = post_to(path, body);
    EXPECT_EQ(reply.status, 400) << reply.body;
    return string_or(error_of(reply), "param", "nothing");
  }
};

TEST_F(EmbeddingsTest, VectorsHaveLengthOneAndDependOnTheirTextAlone) {
  const Json alone = embed("合同 user");
  const Json list = embed({"assistant", "合同 user", "user user"});
  ASSERT_EQ(list["data"].size(), 3u);
  const auto vector = alone["data"][0]["embedding"].get<std::vector<double>>();
  EXPECT_EQ(std::ssize(vector), model_->config().width);
  double squares = 0;
  for (const double x : vector) squares += x * x;
  EXPECT_NEAR(squares, 1, 1e-5);
  for (size_t i = 0; i < vector.size(); ++i)
    EXPECT_NEAR(list["data"][1]["embedding"][i].get<double>(), vector[i], 1e-4);
  EXPECT_EQ(list["data"][2]["index"], 2);
  EXPECT_NE(list["data"][0]["embedding"], list["data"][2]["embedding"]);
  EXPECT_EQ(alone["usage"]["total_tokens"], alone["usage"]["prompt_tokens"]);
  EXPECT_EQ(total().requests, 2);
  EXPECT_EQ(total().prompt_tokens, alone["usage"]["prompt_tokens"].get<int64_t>() +
                                       list["usage"]["prompt_tokens"].get<int64_t>());
}

TEST_F(EmbeddingsTest, Base64HoldsTheSameFloats) {
  const Json floats = embed("合同")["data"][0]["embedding"];
  const std::string base64 = embed("合同", {{"encoding_format", "base64"}})["data"][0]["embedding"];
  const auto bytes = text::from_base64(base64);
  ASSERT_TRUE(bytes);
  ASSERT_EQ(bytes->size(), floats.size() * 4);
  if constexpr (std::endian::native == std::endian::little) {
    for (size_t i = 0; i < floats.size(); ++i) {
      float x = 0;
      std::memcpy(&x, bytes->data() + 4 * i, 4);
      EXPECT_FLOAT_EQ(x, floats[i].get<float>());
    }
  }
}

TEST_F(EmbeddingsTest, ManyTextsGoInOneRequest) {
  std::vector<std::string> texts;
  for (int i = 0; i < 100; ++i) texts.push_back(fmt::format("合同 {}", i));
  EXPECT_EQ(embed(texts)["data"].size(), 100u);
}

TEST_F(EmbeddingsTest, WhoHangsUpPaysForWhatWasRead) {
  const std::string text(2000, 'x');
  const int64_t tokens = embed(text)["usage"]["prompt_tokens"];
  const int64_t rows = engine_->stats().rows;
  TestClient client(server_->port());
  client.send_request("POST", "/v1/embeddings",
                      to_text({{"model", "tiny"}, {"input", std::vector<std::string>(200, text)}}),
                      key_);
  // More than the texts that are read at one time have: some have been read.
  ASSERT_TRUE(eventually([&] { return engine_->stats().rows > rows + 20 * tokens; }));
  client.hang_up();
  EXPECT_TRUE(eventually([&] { return total().requests == 2; }));
  EXPECT_GE(total().prompt_tokens, 5 * tokens);
  EXPECT_LT(total().prompt_tokens, 201 * tokens);
  EXPECT_EQ(total().prompt_tokens % tokens, 0);
}

TEST_F(EmbeddingsTest, WhatCannotBeDoneIsRefusedByName) {
  const Json body = {{"model", "tiny"}, {"input", "x"}};
  const auto with = [&](const char* name, Json value) {
    Json changed = body;
    changed[name] = std::move(value);
    return refused("/v1/embeddings", changed);
  };
  EXPECT_EQ(with("dimensions", 3), "dimensions");
  EXPECT_EQ(with("encoding_format", "int8"), "encoding_format");
  EXPECT_EQ(with("input", ""), "input");
  EXPECT_EQ(with("input", Json::array({"a", 5})), "input");
  EXPECT_EQ(with("model", 5), "model");
  std::string words;
  for (int i = 0; i < kContext; ++i) words += "ab ";
  EXPECT_EQ(with("input", words), "input");
  EXPECT_EQ(refused("/v1/rerank", {{"model", "tiny"}, {"query", "x"}}), "documents");
  EXPECT_EQ(refused("/v1/rerank", {{"model", "tiny"}, {"documents", {"x"}}}), "query");
}

TEST_F(EmbeddingsTest, RerankPutsTheSameTextFirst) {
  const Json json = ask("/v1/rerank", {{"model", "tiny"},
                                       {"query", "合同"},
                                       {"documents", {"user", "合同", {{"text", "assistant"}}}},
                                       {"top_n", 2}});
  ASSERT_EQ(json["results"].size(), 2u);
  EXPECT_EQ(json["results"][0]["index"], 1);
  EXPECT_NEAR(json["results"][0]["relevance_score"].get<double>(), 1, 1e-4);
  EXPECT_EQ(json["results"][0]["document"]["text"], "合同");
  EXPECT_GE(json["results"][0]["relevance_score"], json["results"][1]["relevance_score"]);
  EXPECT_GT(json["usage"]["total_tokens"], 0);
}

}  // namespace
}  // namespace plinth::server
