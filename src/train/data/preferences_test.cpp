#include "train/data/preferences.h"

#include <string>

#include <gtest/gtest.h>

#include "model/model.h"
#include "train/chat_for_tests.h"
#include "train/data/conversation.h"
#include "train/run_files.h"

namespace plinth::train {
namespace {

class Preferences : public testing::Test {
 protected:
  std::vector<Sample> pair(const std::string& row) {
    auto samples = preference_samples(*parse_row(row), options_);
    EXPECT_TRUE(samples) << samples.error().message;
    return samples ? *samples : std::vector<Sample>(2);
  }

  std::string error(const std::string& row) {
    const auto samples = preference_samples(*parse_row(row), options_);
    return samples ? "" : samples.error().message;
  }

  std::string text(const Sample& sample, bool learned_only) const {
    std::vector<int32_t> ids;
    for (size_t i = 0; i < sample.tokens.size(); ++i)
      if (!learned_only || sample.learned[i]) ids.push_back(sample.tokens[i]);
    return tokenizer_->decode(ids, /*with_special=*/true);
  }

  std::shared_ptr<const text::Tokenizer> tokenizer_ =
      *model::open_tokenizer(Path(PLINTH_SOURCE_DIR) / "tests/golden/train/base");
  ChatRenderer chat_ = chatml(*tokenizer_);
  DatasetOptions options_{tokenizer_.get(), &chat_, 200};
};

TEST_F(Preferences, LearnTheAnswersOnly) {
  const auto samples = pair(R"({"prompt": "hi", "chosen": "good", "rejected": "bad"})");
  EXPECT_EQ(text(samples[0], false),
            "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\ngood<|im_end|>\n");
  EXPECT_EQ(text(samples[0], true), "good<|im_end|>");
  EXPECT_EQ(text(samples[1], true), "bad<|im_end|>");
}

TEST_F(Preferences, AnswersOfThePromptAreNotLearnt) {
  const std::string prompt =
      R"([{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}])";
  for (
      const auto& row :
      {R"({"messages": )" + prompt + R"(, "chosen": "yes", "rejected": "no"})",
       R"({"input": {"messages": )" + prompt +
           R"(}, "preferred_output": [{"role":"assistant","content":"yes"}], "non_preferred_output": [{"role":"assistant","content":"no"}]})",
       R"({"prompt": )" + prompt +
           R"(, "chosen": {"role":"assistant","content":"yes"}, "rejected": [{"role":"assistant","content":"no"}]})"}) {
    const auto samples = pair(row);
    EXPECT_EQ(text(samples[0], true), "yes<|im_end|>");
    EXPECT_EQ(text(samples[1], true), "no<|im_end|>");
  }
}

TEST_F(Preferences, WholeConversationsShareTheirPrompt) {
  const std::string user = R"({"role":"user","content":"a"})";
  const auto samples =
      pair(R"({"chosen": [)" + user + R"(,{"role":"assistant","content":"yes"}], "rejected": [)" +
           user + R"(,{"role":"assistant","content":"no"}]})");
  EXPECT_EQ(text(samples[0], true), "yes<|im_end|>");
  EXPECT_EQ(text(samples[1], true), "no<|im_end|>");
}

TEST_F(Preferences, ShareGptNamesItsTurnsOtherwise) {
  const auto samples = pair(
      R"({"conversations": [{"from":"human","value":"a"},{"from":"gpt","value":"b"},{"from":"human","value":"c"}],
          "chosen": {"from":"gpt","value":"yes"}, "rejected": {"from":"gpt","value":"no"}})");
  EXPECT_EQ(text(samples[0], true), "yes<|im_end|>");
  EXPECT_EQ(text(samples[1], true), "no<|im_end|>");
  EXPECT_NE(text(samples[1], false).find("assistant\nb<|im_end|>"), std::string::npos);
  EXPECT_NE(error(R"({"conversations": [{"from":"human"}], "chosen": "b", "rejected": "c"})")
                .find("conversations, message 0: 'value' is missing"),
            std::string::npos);
}

// Left out they would be learnt in another form than they are served in.
TEST_F(Preferences, KeepTheirToolsAndSystemPrompt) {
  chat_ = [render = chatml(*tokenizer_)](const Conversation& conversation, bool prompt) {
    Conversation named = conversation;
    auto& first = named.messages[0]["content"];
    first = fmt::format("{} tools, {}", conversation.tools.size(), first.get<std::string>());
    return render(named, prompt);
  };
  const std::string tools = R"("tools": [{"type": "function", "function": {"name": "f"}}])";
  for (
      const auto& row :
      {R"({"prompt": "hi", "chosen": "good", "rejected": "bad", "system": "be kind", )" + tools +
           "}",
       R"({"input": {"messages": [{"role":"system","content":"be kind"},{"role":"user","content":"hi"}], )" +
           tools +
           R"(}, "preferred_output": [{"role":"assistant","content":"good"}], "non_preferred_output": [{"role":"assistant","content":"bad"}]})"})
    EXPECT_EQ(text(pair(row)[0], false).find("<|im_start|>system\n1 tools, be kind<|im_end|>"), 0u)
        << row;
}

TEST_F(Preferences, AreTextsWithoutAChatTemplate) {
  options_.chat = nullptr;
  const auto samples = pair(R"({"prompt": "1 + 1 = ", "chosen": "2", "rejected": "3"})");
  EXPECT_EQ(text(samples[0], true).substr(0, 1), "2");
  EXPECT_EQ(text(samples[1], false).substr(0, 9), "1 + 1 = 3");
  EXPECT_NE(error(R"({"messages": [], "chosen": "2", "rejected": "3"})").find("no chat template"),
            std::string::npos);
}

TEST_F(Preferences, BadRowsAreNamedByWhatIsWrong) {
  EXPECT_NE(error(R"({"prompt": "a", "chosen": "b"})").find("rejected is missing"),
            std::string::npos);
  EXPECT_NE(error(R"({"prompt": "a", "chosen": "b", "rejected": "b"})").find("are the same"),
            std::string::npos);
  EXPECT_NE(error(R"({"prompt": 3, "chosen": "b", "rejected": "c"})").find("prompt is number"),
            std::string::npos);
  EXPECT_NE(error(R"({"prompt": "a", "chosen": [], "rejected": "c"})").find("an empty list"),
            std::string::npos);
  EXPECT_NE(error(R"({"chosen": "b", "rejected": "c"})").find("begin differently"),
            std::string::npos);
  EXPECT_NE(error(R"({"prompt": "a", "chosen": [{"role":"user","content":"x"}], "rejected": "c"})")
                .size(),
            0u);
}

TEST_F(Preferences, APairIsCutAndDroppedTogether) {
  const TempDirectory folder = *TempDirectory::create();
  const Path path = folder.path() / "pairs.jsonl";
  write_text(path, R"({"prompt": "hi", "chosen": "good", "rejected": "bad"})"
                   "\n"
                   R"({"prompt": "a long prompt indeed", "chosen": "x", "rejected": "yy"})"
                   "\n"
                   R"({"prompt": "hi", "chosen": "a rather long answer", "rejected": "short"})"
                   "\n");
  options_.sequence = 30;
  const auto dataset = read_preferences(std::span(&path, 1), options_);
  ASSERT_TRUE(dataset) << dataset.error().message;
  EXPECT_EQ(dataset->report.rows, 3);
  EXPECT_EQ(dataset->samples.size(), 4u);
  EXPECT_EQ(dataset->report.lost_samples, 2);
  EXPECT_GE(dataset->report.truncated_samples, 3);
  EXPECT_EQ(dataset->samples[2].row_hash, dataset->samples[3].row_hash);
  std::string noted;
  for (const auto& line : dataset->report.noted) noted += line.place + ": " + line.reason + "\n";
  EXPECT_NE(noted.find("pairs.jsonl:2: empty: nothing to learn is left"), std::string::npos)
      << noted;
  EXPECT_NE(noted.find("pairs.jsonl:3: cut: "), std::string::npos) << noted;
}

// What is wrong with rows of conversations is found in pairs as well.
TEST_F(Preferences, AreCheckedLikeAllRows) {
  const TempDirectory folder = *TempDirectory::create();
  const std::string same_end = std::string(40, 'x');
  write_text(folder.path() / "pairs.jsonl",
             R"({"prompt": "hi", "chosen": "good", "rejected": "bad"})"
             "\n"
             R"({"prompt": "hi", "chosen": "good", "rejected": "bad", "id": 2})"
             "\n"
             R"({"prompt": "exam", "chosen": "good", "rejected": "bad"})"
             "\n"
             R"({"prompt": "hi", "chosen": ")" +
                 same_end + R"(1", "rejected": ")" + same_end + R"(2"})" + "\n");
  options_.sequence = 40;
  options_.in_suite = [](std::string_view said) { return said.find("exam") != said.npos; };
  const Path path = folder.path();  // a folder, as --data takes it
  const auto dataset = read_preferences(std::span(&path, 1), options_);
  ASSERT_TRUE(dataset) << dataset.error().message;
  EXPECT_EQ(dataset->report.rows, 4);
  EXPECT_EQ(dataset->report.duplicate_rows, 1);
  EXPECT_EQ(dataset->report.suite_rows, 1);
  EXPECT_EQ(dataset->report.lost_samples, 2) << "answers that differ behind the cut only";
  EXPECT_EQ(dataset->samples.size(), 4u);
  write_text(folder.path() / "notes.txt", "no pairs");
  const auto refused = read_preferences(std::span(&path, 1), options_);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("notes.txt: plain text: method dpo learns from pairs"),
            std::string::npos)
      << refused.error().message;
}

}  // namespace
}  // namespace plinth::train
