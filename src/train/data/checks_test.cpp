// What users of trainers suffer from without knowing: each case is counted, named, and ends the run
// before its first step.
#include "train/data/checks.h"

#include <string>

#include <gtest/gtest.h>

#include "train/chat_for_tests.h"
#include "train/run_files.h"
#include "train/train.h"

namespace plinth::train {
namespace {

std::string row(const std::string& question, const std::string& answer,
                const std::string& more = "") {
  return fmt::format(R"({{"instruction": "{}", "output": "{}"{}}})", question, answer, more) + "\n";
}

class Checks : public testing::Test {
 protected:
  void SetUp() override {
    auto base = model::Model::open(Path(PLINTH_SOURCE_DIR) / "tests/golden/train/base");
    ASSERT_TRUE(base) << base.error().message;
    base_ = *base;
    hooks_.chat = chatml(base_->tokenizer());
    recipe_.files = {temp_.path() / "rows.jsonl"};
    recipe_.sequence = 64;
    recipe_.batch_tokens = recipe_.micro_tokens = 128;
    recipe_.rank = 2;
    recipe_.steps = 1;
    for (int i = 0; i < 40; ++i) good_ += row(fmt::format("q{}", i), fmt::format("a{}", i));
  }

  // Why a run over these rows is refused; empty: it is not.
  std::string refusal(const std::string& rows) {
    write_text(recipe_.files[0], rows);
    std::filesystem::remove_all(temp_.path() / "run");
    const auto summary = tune(base_, recipe_, temp_.path() / "run", hooks_);
    if (!summary) return summary.error().message;
    report_ = summary->data;
    return "";
  }

  static bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
  }

  TempDirectory temp_ = *TempDirectory::create();
  std::shared_ptr<const model::Model> base_;
  TuneRecipe recipe_;
  TuneHooks hooks_;
  std::string good_;
  DatasetReport report_;
};

TEST_F(Checks, TruncationIsNamedAndEndsTheRunAboveItsLimit) {
  std::string rows = good_;
  for (int i = 0; i < 10; ++i) rows += row("q", fmt::format("{} {}", i, std::string(100, 'x')));
  const auto refused = refusal(rows);
  EXPECT_TRUE(has(refused, "10 of 50 samples lose their end (more than data.truncated_max = 0.1)"))
      << refused;
  EXPECT_TRUE(has(refused, "rows.jsonl:41: cut: ")) << refused;
  recipe_.limits.truncated_max = 0.2;
  EXPECT_EQ(refusal(rows), "");
  EXPECT_EQ(report_.truncated_samples, 10);
}

TEST_F(Checks, RowsThatLoseAllTheyTeachEndTheRun) {
  recipe_.limits.truncated_max = 1;
  const auto refused = refusal(good_ + row(std::string(100, 'x'), "a"));
  EXPECT_TRUE(has(refused, "1 of 41 samples lose everything there was to learn")) << refused;
  EXPECT_TRUE(has(refused, "rows.jsonl:41: empty: ")) << refused;
}

TEST_F(Checks, AFileWithNothingToLearnIsRefused) {
  const auto refused = refusal(row(std::string(100, 'x'), "a"));
  EXPECT_TRUE(has(refused, "none of them with anything to learn")) << refused;
  EXPECT_TRUE(has(refusal(row("q", "")), "an assistant message is empty"));
}

TEST_F(Checks, ATemplateThatServesOtherwiseThanItTrainsIsRefused) {
  // Writes a thought into the prompt that the finished conversation does not have.
  hooks_.chat = [render = chatml(base_->tokenizer())](const Conversation& conversation,
                                                      bool add_generation_prompt) {
    auto chat = render(conversation, add_generation_prompt);
    if (chat && add_generation_prompt) chat->text += "<think></think>";
    return chat;
  };
  const auto refused = refusal(good_);
  EXPECT_TRUE(has(refused, "the chat template does not write the answer behind its prompt"))
      << refused;
}

TEST_F(Checks, ATemplateWithoutAnEndOfTurnIsRefused) {
  hooks_.chat = [](const Conversation& conversation,
                   bool add_generation_prompt) -> Result<text::ChatText> {
    text::ChatText chat;
    for (const auto& message : conversation.messages)
      chat.text += fmt::format("{}: {}", message["role"].get<std::string>(),
                               message["content"].get<std::string>());
    if (add_generation_prompt) chat.text += "assistant: ";
    return chat;
  };
  const auto refused = refusal(good_);
  EXPECT_TRUE(has(refused, "does not end the answer with a token that ends turns")) << refused;
}

TEST_F(Checks, RepeatedRowsAreNamedHoweverTheyAreWritten) {
  std::string rows = good_;
  for (int i = 0; i < 20; ++i)
    rows += row(fmt::format("q{}", i), fmt::format("a{}", i), R"(, "id": 1)");
  recipe_.limits.leaked_max = 1;
  const auto refused = refusal(rows);
  EXPECT_TRUE(has(refused, "20 of 60 rows repeat an earlier one")) << refused;
  EXPECT_TRUE(has(refused, "rows.jsonl:41: repeated: ")) << refused;
}

TEST_F(Checks, HeldOutRowsAreNeverTrainedOn) {
  // Every row twice, told apart by a member that is not learnt: they fall on both sides.
  std::string rows = good_;
  for (int i = 0; i < 40; ++i)
    rows += row(fmt::format("q{}", i), fmt::format("a{}", i), R"(, "id": 1)");
  recipe_.limits.duplicates_max = 1;
  recipe_.heldout_share = 0.3;
  const auto refused = refusal(rows);
  EXPECT_TRUE(has(refused, "held-out samples are trained on as well")) << refused;
  EXPECT_TRUE(has(refused, "leaked: ")) << refused;
  recipe_.limits.leaked_max = 1;
  EXPECT_EQ(refusal(rows), "");
  EXPECT_GT(report_.leaked_samples, 0);
  EXPECT_LT(report_.leaked_samples, report_.heldout_samples);
}

TEST_F(Checks, RowsOfASuiteAreNotTrainedOn) {
  hooks_.in_suite = [](std::string_view text) { return text.find("q7\n") != std::string::npos; };
  EXPECT_EQ(refusal(good_), "");
  EXPECT_EQ(report_.suite_rows, 1);
  EXPECT_EQ(report_.samples, 39);
  recipe_.limits.leaked_max = 0;
  const auto refused = refusal(good_);
  EXPECT_TRUE(has(refused, "1 of 40 rows share text with a suite")) << refused;
  EXPECT_TRUE(has(refused, "rows.jsonl:8: suite: ")) << refused;
}

TEST_F(Checks, BadRowsEndTheRunAboveTheirLimit) {
  EXPECT_TRUE(has(refusal(good_ + "{broken\n"),
                  "1 of 41 rows cannot be used (more than "
                  "data.bad_rows_max = 0.01)"));
  recipe_.limits.bad_rows_max = 0.05;
  EXPECT_EQ(refusal(good_ + "{broken\n"), "");
  EXPECT_EQ(report_.bad_rows, 1);
}

}  // namespace
}  // namespace plinth::train
