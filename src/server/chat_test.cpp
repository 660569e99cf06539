#include "server/chat.h"

#include <gtest/gtest.h>

#include "server/test_tokenizer.h"

namespace plinth::server {
namespace {

class ChatTest : public ::testing::Test {
 protected:
  ChatTest() {
    auto parsed = text::ChatTemplate::parse(kChatMl);
    EXPECT_TRUE(parsed);
    model_.name = "law";
    model_.chat_template = std::make_shared<text::ChatTemplate>(*std::move(parsed));
    auto index = knowledge::Index::build(std::vector<knowledge::Document>{
        {.id = "civil",
         .title = "合同法",
         .text = "第一条 租赁期限不得超过二十年。\n第二条 标的物应当交付。"}});
    model_.knowledge = std::make_shared<knowledge::Index>(*std::move(index));
  }

  std::string prompt(const std::vector<Message>& messages) const {
    const auto prepared = prepare_chat(model_, *tokenizer_, messages);
    EXPECT_TRUE(prepared) << prepared.error().message;
    return prepared ? tokenizer_->decode(prepared->prompt, true) : "";
  }

  DomainModel model_;
  std::shared_ptr<const text::Tokenizer> tokenizer_ = chat_tokenizer();
};

TEST_F(ChatTest, TheReleasesSystemPromptComesBeforeTheClients) {
  model_.system_prompt = "你是律师。";
  EXPECT_TRUE(prompt({{"user", "x"}}).starts_with("<|im_start|>system\n你是律师。<|im_end|>\n"));
  EXPECT_TRUE(prompt({{"system", "简短"}, {"user", "x"}})
                  .starts_with("<|im_start|>system\n你是律师。\n\n简短<|im_end|>\n"));
}

TEST_F(ChatTest, TheLastQuestionIsWhatIsLookedUp) {
  const auto prepared = prepare_chat(
      model_, *tokenizer_,
      {{"user", "标的物"}, {"assistant", "好"}, {"user", "租赁期限"}, {"assistant", "嗯"}});
  ASSERT_FALSE(prepared->citations.empty());
  EXPECT_EQ(prepared->citations[0].citation.section, "第一条");
}

TEST_F(ChatTest, PassagesAreInThePromptOnlyIfTheReleaseSaysSo) {
  EXPECT_EQ(prompt({{"user", "租赁期限"}}).find("二十年"), std::string::npos);
  model_.knowledge_in_prompt = true;
  const std::string with = prompt({{"user", "租赁期限"}});
  EXPECT_NE(with.find("[1] 合同法 第一条\n第一条 租赁期限不得超过二十年。"), std::string::npos)
      << with;
  EXPECT_NE(with.find("问题：租赁期限<|im_end|>"), std::string::npos) << with;
}

TEST_F(ChatTest, TurnsEndWhereTheVocabularySaysSo) {
  EXPECT_EQ(prepare_chat(model_, *tokenizer_, {{"user", "x"}})->stop_tokens,
            std::vector<int32_t>{tokenizer_->special_id("<|im_end|>")});
}

TEST_F(ChatTest, WithoutATemplateThereIsNoChat) {
  model_.chat_template = nullptr;
  EXPECT_EQ(prepare_chat(model_, *tokenizer_, {{"user", "x"}}).error().code,
            Code::kFailedPrecondition);
}

TEST_F(ChatTest, ACitationLeadsBackToItsSource) {
  const Json json = citations_json(model_.knowledge->search("租赁期限", 1));
  EXPECT_EQ(json[0]["span"], Json::array({0, 16}));
  EXPECT_TRUE(json[0]["page"].is_null());
  EXPECT_GT(json[0]["score"].get<double>(), 0);
}

}  // namespace
}  // namespace plinth::server
