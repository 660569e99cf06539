#include "server/settings.h"

#include "server/test_server.h"

namespace plinth::server {
namespace {

class SettingsTest : public ServerTest {
 protected:
  SettingsTest() {
    write("pass", "pass");
    start({.port = 0, .settings = file_});
  }

  // What to do with what the model says, which the test reads first.
  void write(const std::string& input, const std::string& output,
             const std::string& word = "合同") {
    EXPECT_TRUE(write_file_atomic(home_.folder() / "words.txt", word + "\n"));
    EXPECT_TRUE(write_file_atomic(
        file_, "[[filter]]\ncategory = \"contracts\"\nwords = \"words.txt\"\ninput = \"" + input +
                   "\"\noutput = \"" + output + "\"\n"));
  }

  Json choice() const { return ask("/v1/chat/completions", chat("合同"))["choices"][0]; }

  const Path file_ = home_.folder() / "settings.toml";
};

TEST_F(SettingsTest, AreReadAnewAndHoldFromTheNextRequestOn) {
  EXPECT_EQ(post(chat("合同")).status, 200);
  write("block", "pass");
  EXPECT_EQ(post(chat("合同")).status, 200);
  ASSERT_TRUE(server_->reload());
  const Reply refused = post(chat("合同"));
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(error_of(refused)["code"], "content_filter");
  EXPECT_EQ(post(chat("法律")).status, 200);
  // What is wrong changes nothing.
  write("perhaps", "pass");
  EXPECT_FALSE(server_->reload());
  EXPECT_EQ(post(chat("合同")).status, 400);
}

TEST_F(SettingsTest, WordsAreFoundWhereverTheyReachTheModel) {
  write("block", "pass");
  ASSERT_TRUE(server_->reload());
  const auto tool = [](const std::string& description) {
    return Json{{"type", "function"},
                {"function",
                 {{"name", "look"},
                  {"description", description},
                  {"parameters", {{"type", "object"}, {"properties", Json::object()}}}}}};
  };
  Json body = chat("法律");
  body["tools"] = {tool("说")};
  EXPECT_EQ(post(body).status, 200);
  body["tools"] = {tool("合同")};
  EXPECT_EQ(error_of(post(body))["code"], "content_filter");
  const auto called = [&](const std::string& arguments) {
    Json with = chat("法律");
    with["messages"].push_back({{"role", "assistant"},
                                {"content", nullptr},
                                {"tool_calls",
                                 {{{"id", "c"},
                                   {"type", "function"},
                                   {"function", {{"name", "look"}, {"arguments", arguments}}}}}}});
    with["messages"].push_back({{"role", "tool"}, {"tool_call_id", "c"}, {"content", "说"}});
    return with;
  };
  EXPECT_EQ(post(called(R"({"x":"说"})")).status, 200);
  EXPECT_EQ(error_of(post(called(R"({"x":"合同"})")))["code"], "content_filter");
}

TEST_F(SettingsTest, AnAnswerIsMaskedOrCutOff) {
  const std::string said = choice()["message"]["content"];
  ASSERT_FALSE(said.empty());
  // A word of the answer's own, from the middle: whole characters.
  size_t begin = said.size() / 2;
  while (begin > 0 && (static_cast<unsigned char>(said[begin]) & 0xc0) == 0x80) --begin;
  size_t end = begin + 1;
  while (end < said.size() && (static_cast<unsigned char>(said[end]) & 0xc0) == 0x80) ++end;
  const std::string word = said.substr(begin, end - begin);
  if (word == "\n" || word == "\r" || word == " ") GTEST_SKIP() << "no word";
  write("pass", "mask", word);
  ASSERT_TRUE(server_->reload());
  const std::string masked = choice()["message"]["content"];
  EXPECT_EQ(masked.find(word), std::string::npos);
  EXPECT_NE(masked.find('*'), std::string::npos);

  write("pass", "block", word);
  ASSERT_TRUE(server_->reload());
  const Json cut = choice();
  EXPECT_EQ(cut["finish_reason"], "content_filter");
  EXPECT_TRUE(said.starts_with(cut["message"]["content"].get<std::string>()));
  Json body = chat("合同");
  body["stream"] = true;
  const auto chunks = events(post(body).body);
  EXPECT_EQ(text_of(chunks), cut["message"]["content"]);
  EXPECT_EQ(chunks.back()["choices"][0]["finish_reason"], "content_filter");
}

}  // namespace
}  // namespace plinth::server
