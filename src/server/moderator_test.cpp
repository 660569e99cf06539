#include "server/moderator.h"

#include <atomic>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>

#include "server/held_choice.h"
#include "server/http_server.h"
#include "server/test_server.h"

namespace plinth::server {
namespace {

// Each id as a word of its own.
std::vector<std::string> texts_of(std::string_view body) {
  return server::texts_of(body, [](std::span<const int32_t> ids) {
    std::string words;
    for (const int32_t id : ids)
      if (id >= 0) words += fmt::format("<{}>", id);
    return words;
  });
}

TEST(Moderation, AskedIsWhatTheAuthorWrote) {
  EXPECT_EQ(texts_of(R"({"model":"m","prompt":["a",[1,2],"b"],"user":"x"})"),
            (std::vector<std::string>{"a", "<1><2>", "b"}));
  EXPECT_EQ(texts_of(R"({"prompt":[3,99999999999]})"), (std::vector<std::string>{"<3>"}));
  EXPECT_EQ(texts_of(R"({"prompt":[[1],[2]]})"), (std::vector<std::string>{"<1>", "<2>"}));
  EXPECT_EQ(texts_of(R"({"tools":[{"type":"function","function":{"name":"f","description":"d"}}],
      "messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"a"}}]}]})"),
            (std::vector<std::string>{"a", "f", "f", "d"}));
  EXPECT_EQ(texts_of(R"({"instructions":"i","input":[{"type":"message","role":"user",
      "content":[{"type":"input_text","text":"a"}]},{"type":"function_call_output","output":"b"}]})"),
            (std::vector<std::string>{"i", "a", "b"}));
  EXPECT_EQ(texts_of(R"({"messages":[{"role":"system","content":"s"},
      {"role":"assistant","content":null,"tool_calls":[]},{"role":"user","content":"u"}]})"),
            (std::vector<std::string>{"s", "u"}));
  EXPECT_EQ(texts_of(R"({"query":"q","documents":["d",{"text":"e"}]})"),
            (std::vector<std::string>{"q", "d", "e"}));
  for (const char* nothing : {"", "{", "[]", "{}", R"({"prompt":[-1]})"})
    EXPECT_TRUE(texts_of(nothing).empty()) << nothing;
}

TEST(Moderation, FlaggedCategoriesAreNamedOnce) {
  EXPECT_EQ(*flagged_categories(R"({"results":[{"flagged":false,"categories":{"hate":false}}]})"),
            "");
  EXPECT_EQ(*flagged_categories(R"({"results":[
      {"flagged":true,"categories":{"violence":true,"hate":false}},
      {"flagged":true,"categories":{"violence":true,"hate":true}}]})"),
            "hate, violence");
  EXPECT_EQ(*flagged_categories(R"({"results":[{"flagged":true}]})"), "flagged");
  for (const char* wrong : {"", "no", "{}", R"({"results":1})", R"({"results":[{}]})",
                            R"({"results":[{"flagged":"yes"}]})"})
    EXPECT_EQ(flagged_categories(wrong).error().code, Code::kUnavailable) << wrong;
}

// A judge that does not like one word.
class ModeratorTest : public ServerTest {
 protected:
  ModeratorTest() {
    auto started = HttpServer::start({.port = 0}, [this](const ExchangePtr& exchange) {
      ++asked_;
      const HttpRequest& request = exchange->request();
      authorization_ = request.authorization;
      const bool bad =
          request.body.find("毒") != std::string::npos || (flags_after_ > 0 && --flags_after_ == 0);
      if (breaks_after_ > 0) broken_ = --breaks_after_ == 0;
      exchange->reply(
          {.status = broken_ ? 500 : 200,
           .body = to_text(
               {{"results",
                 {{{"flagged", bad}, {"categories", {{"poison", bad}, {"hate", false}}}}}}})});
    });
    EXPECT_TRUE(started) << started.error().message;
    judge_ = *std::move(started);
    ::setenv("PLINTH_TEST_MODERATOR_KEY", "secret", 1);
    serve("block");
  }

  ~ModeratorTest() override { server_.reset(); }

  void serve(const std::string& unavailable) {
    std::ofstream(file_) << fmt::format(
        "[moderator]\nurl = \"http://127.0.0.1:{}/v1/moderations\"\n"
        "key_variable = \"PLINTH_TEST_MODERATOR_KEY\"\nunavailable = \"{}\"\nanswers = {}\n",
        judge_->port(), unavailable, answers_);
    start({.port = 0, .settings = file_});
  }

  // A long answer.
  Json talk(bool stream) const {
    Json body = chat("说");
    body["max_tokens"] = 1500;
    body["stream"] = stream;
    body["logit_bias"] = {{std::to_string(model_->tokenizer().eos()), -100}};
    return body;
  }

  const Path file_ = home_.folder() / "settings.toml";
  bool answers_ = false;
  std::atomic<int> asked_ = 0;
  std::atomic<bool> broken_ = false;
  std::atomic<int> breaks_after_ = 0;  // judgements from now on; 0: never
  std::atomic<int> flags_after_ = 0;
  std::string authorization_;
  std::unique_ptr<HttpServer> judge_;
};

TEST_F(ModeratorTest, AQuestionThatItFlagsIsRefusedWithItsCategories) {
  EXPECT_EQ(post(chat("合同")).status, 200);
  EXPECT_EQ(asked_, 1);
  EXPECT_EQ(authorization_, "Bearer secret");
  Json streamed = chat("毒");
  streamed["stream"] = true;
  for (const Json& body : {chat("毒"), streamed}) {
    const Reply refused = post(body);
    EXPECT_EQ(refused.status, 400) << refused.body;
    EXPECT_EQ(error_of(refused)["code"], "content_filter");
    EXPECT_NE(error_of(refused)["message"].get<std::string>().find("poison"), std::string::npos);
  }
  EXPECT_EQ(post_to("/v1/completions", {{"model", "tiny"}, {"prompt", "毒"}}).status, 400);
  EXPECT_EQ(post_to("/v1/embeddings", {{"model", "tiny"}, {"input", "毒"}}).status, 400);
  EXPECT_EQ(post_to("/v1/responses", {{"model", "tiny"}, {"input", "毒"}}).status, 400);
  const auto ids = model_->tokenizer().encode("毒", false);
  EXPECT_EQ(post_to("/v1/completions", {{"model", "tiny"}, {"prompt", ids}}).status, 400);
  // What asks for no answer is not looked at.
  const int before = asked_;
  EXPECT_EQ(post_to("/v1/tokenize", {{"model", "tiny"}, {"prompt", "毒"}}).status, 200);
  EXPECT_EQ(asked_, before);
  EXPECT_EQ(total().requests, 1) << "what was refused cost nothing";
}

TEST_F(ModeratorTest, WithoutAnAnswerQuestionsWaitForBetterTimesOrPass) {
  broken_ = true;
  EXPECT_EQ(post(chat("合同")).status, 503);
  broken_ = false;
  EXPECT_EQ(post(chat("合同")).status, 200);
  serve("pass");
  broken_ = true;
  EXPECT_EQ(post(chat("毒")).status, 200);
}

class ModeratedAnswersTest : public ModeratorTest {
 protected:
  ModeratedAnswersTest() {
    answers_ = true;
    serve("block");
  }

  static std::string content(const Reply& whole) {
    return Json::parse(whole.body)["choices"][0]["message"]["content"];
  }

  struct Streamed {
    std::string text = {};
    std::string reason = {};
    bool error = false;
    bool done = false;
  };

  static Streamed read(const Reply& reply) {
    Streamed streamed;
    std::istringstream lines(reply.body);
    for (std::string line; std::getline(lines, line);) {
      if (line == "data: [DONE]") streamed.done = true;
      if (!line.starts_with("data: {")) continue;
      const Json json = Json::parse(line.substr(6));
      streamed.error = streamed.error || json.contains("error");
      if (!json.contains("choices") || json["choices"].empty()) continue;
      const Json& choice = json["choices"][0];
      streamed.text += choice["delta"].value("content", "");
      if (!choice["finish_reason"].is_null()) streamed.reason = choice["finish_reason"];
    }
    return streamed;
  }
};

TEST_F(ModeratedAnswersTest, WhatItLetsPassIsTheSameAnswer) {
  const std::string whole = content(post(talk(false)));
  ASSERT_GT(whole.size(), 4 * HeldChoice::kPieceBytes);
  EXPECT_EQ(asked_, 2) << "the question, and the answer once";
  const Streamed streamed = read(post(talk(true)));
  EXPECT_EQ(streamed.text, whole);
  EXPECT_EQ(streamed.reason, "length");
  EXPECT_TRUE(streamed.done);
  EXPECT_GE(asked_, 5) << "a question, and pieces";
  // Not where the settings say so.
  answers_ = false;
  serve("block");
  const int before = asked_;
  EXPECT_EQ(content(post(talk(false))), whole);
  EXPECT_EQ(asked_, before + 1);
}

TEST_F(ModeratedAnswersTest, AnAnswerThatItFlagsEndsBeforeThePiece) {
  const std::string whole = content(post(talk(false)));
  flags_after_ = 2;  // the question passes
  const Reply refused = post(talk(false));
  EXPECT_EQ(refused.status, 200) << refused.body;
  EXPECT_EQ(content(refused), "");
  EXPECT_EQ(Json::parse(refused.body)["choices"][0]["finish_reason"], "content_filter");

  flags_after_ = 3;  // the question and one piece
  const Streamed streamed = read(post(talk(true)));
  EXPECT_EQ(streamed.reason, "content_filter");
  EXPECT_TRUE(streamed.done);
  EXPECT_GT(streamed.text.size(), 0u) << "what came before it was shown";
  EXPECT_EQ(whole.substr(0, streamed.text.size()), streamed.text);
  EXPECT_LT(streamed.text.size(), whole.size() / 2);
  EXPECT_LE(asked_, 7) << "nobody is asked about the rest";

  flags_after_ = 2;
  const Json response =
      Json::parse(post_to("/v1/responses",
                          {{"model", "tiny"},
                           {"input", "说"},
                           {"max_output_tokens", 1500},
                           {"seed", 11},
                           {"logit_bias", {{std::to_string(model_->tokenizer().eos()), -100}}}})
                      .body);
  EXPECT_EQ(response.value("status", ""), "incomplete") << response;
  EXPECT_EQ(response["incomplete_details"]["reason"], "content_filter");
  EXPECT_EQ(total().requests, 4) << "what was computed is paid";
}

TEST_F(ModeratedAnswersTest, WithoutAJudgementNothingGoesOut) {
  const std::string whole = content(post(talk(false)));
  breaks_after_ = 3;  // the question and one piece pass
  const Streamed streamed = read(post(talk(true)));
  EXPECT_TRUE(streamed.error);
  EXPECT_FALSE(streamed.done);
  EXPECT_GT(streamed.text.size(), 0u);
  EXPECT_LT(streamed.text.size(), whole.size());
  broken_ = false;
  breaks_after_ = 2;
  EXPECT_EQ(post(talk(false)).status, 503);
  serve("pass");
  EXPECT_EQ(content(post(talk(false))), whole);
}

// A drain lets answers end, and they are still judged.
TEST_F(ModeratedAnswersTest, AnAnswerInFlightIsJudgedWhileTheServerDrains) {
  std::thread stopping([this] {
    while (asked_ < 2) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    server_->stop();
  });
  const Streamed streamed = read(post(talk(true)));
  stopping.join();
  EXPECT_FALSE(streamed.error);
  EXPECT_TRUE(streamed.done);
  EXPECT_EQ(streamed.reason, "length");
}

// A judge that takes its time: the timeout counts from the question, whoever asked before.
TEST_F(ModeratorTest, AQuestionWaitsNoLongerThanTheTimeout) {
  std::atomic<int> asked = 0;
  std::vector<ExchangePtr> silent;
  std::mutex mutex;
  auto judge = *HttpServer::start({.port = 0}, [&](const ExchangePtr& exchange) {
    ++asked;
    const std::lock_guard lock(mutex);
    silent.push_back(exchange);
  });
  auto moderator = *Moderator::start(
      {.url = fmt::format("http://127.0.0.1:{}/", judge->port()), .timeout_ms = 200});
  std::atomic<int> unavailable = 0;
  for (int i = 0; i < 40; ++i)
    moderator->judge({"x"}, [&](const Result<std::string>& verdict) {
      if (!verdict && verdict.error().code == Code::kUnavailable) ++unavailable;
    });
  moderator.reset();  // waits for all of them
  EXPECT_EQ(unavailable, 40);
  EXPECT_LT(asked, 40) << "those at the end have waited in vain already";
  silent.clear();
}

// What is under way when the settings change is judged by whom it was put to.
TEST_F(ModeratorTest, AReloadLosesNoQuestion) {
  auto moderator = *Moderator::start(
      {.url = fmt::format("http://127.0.0.1:{}/", judge_->port()), .timeout_ms = 60'000});
  std::atomic<int> judged = 0;
  for (int i = 0; i < 40; ++i)
    moderator->judge({"x"}, [&](const Result<std::string>& verdict) {
      if (verdict) ++judged;
    });
  moderator.reset();
  EXPECT_EQ(judged, 40);
}

TEST_F(ModeratorTest, SettingsThatMakeNoSenseAreNamed) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"url = \"moderator:9000\"", "moderator.url"},
      {"url = \"http://x\"\nunavailable = \"perhaps\"", "moderator.unavailable"},
      {"url = \"http://x\"\nkey_variable = \"PLINTH_NOT_SET\"", "PLINTH_NOT_SET"},
      {"url = \"http://x\"\ntimeout_ms = 1", "moderator.timeout_ms"},
      {"url = \"http://x\"\nmodel = \"y\"", "moderator.model"}};
  for (const auto& [text, name] : wrong) {
    std::ofstream(file_) << "[moderator]\n" << text << "\n";
    const Status reloaded = server_->reload();
    ASSERT_FALSE(reloaded) << text;
    EXPECT_NE(reloaded.error().message.find(name), std::string::npos) << reloaded.error().message;
  }
  EXPECT_EQ(post(chat("毒")).status, 400) << "all stays as it was";
}

}  // namespace
}  // namespace plinth::server
