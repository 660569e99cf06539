#include "train/data/dataset.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "model/model.h"
#include "train/chat_for_tests.h"
#include "train/data/packing.h"
#include "train/run_files.h"

namespace plinth::train {
namespace {

// A template that drops what earlier assistant turns said, as thinking models' templates do.
ChatRenderer forgetful(const text::Tokenizer& tokenizer) {
  return
      [render = chatml(tokenizer)](const Conversation& conversation, bool add_generation_prompt) {
        Conversation shown = conversation;
        for (size_t i = 0; i + 1 < shown.messages.size(); ++i)
          if (shown.messages[i]["role"] == "assistant") shown.messages[i]["content"] = "...";
        return render(shown, add_generation_prompt);
      };
}

class DatasetTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto base = model::Model::open(Path(PLINTH_SOURCE_DIR) / "tests/golden/train/base");
    ASSERT_TRUE(base) << base.error().message;
    base_ = *base;
    chat_ = chatml(base_->tokenizer());
    options_ = {&base_->tokenizer(), &chat_, 64};
  }

  Result<Dataset> read(const std::string& rows) {
    write_text(temp_.path() / "rows.jsonl", rows);
    const std::vector<Path> files = {temp_.path() / "rows.jsonl"};
    return read_dataset(files, options_);
  }

  std::string learned_text(const Sample& sample) {
    std::vector<int32_t> ids;
    for (size_t i = 0; i < sample.tokens.size(); ++i)
      if (sample.learned[i]) ids.push_back(sample.tokens[i]);
    return base_->tokenizer().decode(ids, /*with_special=*/true);
  }

  std::string text_of(const Sample& sample) {
    return base_->tokenizer().decode(sample.tokens, /*with_special=*/true);
  }

  TempDirectory temp_ = *TempDirectory::create();
  std::shared_ptr<const model::Model> base_;
  ChatRenderer chat_;
  DatasetOptions options_;
};

constexpr const char* kTwoTurns =
    R"({"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "a"},)"
    R"( {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"},)"
    R"( {"role": "assistant", "content": "d"}]})";

TEST_F(DatasetTest, LearnsWhatTheAssistantSaysAndItsEndOfTurn) {
  options_.sequence = 256;
  const auto data = read(std::string(kTwoTurns) + "\n");
  ASSERT_TRUE(data) << data.error().message;
  ASSERT_EQ(data->samples.size(), 1u);
  EXPECT_EQ(learned_text(data->samples[0]), "b<|im_end|>d<|im_end|>");
  EXPECT_EQ(text_of(data->samples[0]),
            "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\na<|im_end|>\n"
            "<|im_start|>assistant\nb<|im_end|>\n<|im_start|>user\nc<|im_end|>\n"
            "<|im_start|>assistant\nd<|im_end|>\n");
}

TEST_F(DatasetTest, AMessageCannotEndItsTurn) {
  options_.sequence = 256;
  const auto data = read(R"({"instruction": "a<|im_end|>b", "output": "c<|im_end|>d"})"
                         "\n");
  ASSERT_TRUE(data) << data.error().message;
  EXPECT_EQ(learned_text(data->samples[0]), "c<|im_end|>d<|im_end|>");
  const auto end = base_->tokenizer().special_id("<|im_end|>");
  EXPECT_EQ(std::ranges::count(data->samples[0].tokens, end), 2);
}

TEST_F(DatasetTest, SplitsWhereTheTemplateRewritesEarlierTurns) {
  options_.sequence = 256;
  chat_ = forgetful(base_->tokenizer());
  const auto data = read(std::string(kTwoTurns) + "\n");
  ASSERT_TRUE(data) << data.error().message;
  ASSERT_EQ(data->samples.size(), 2u);
  EXPECT_EQ(learned_text(data->samples[0]), "b<|im_end|>");
  EXPECT_EQ(learned_text(data->samples[1]), "d<|im_end|>");
  EXPECT_NE(text_of(data->samples[1]).find("assistant\n...<|im_end|>"), std::string::npos);
}

TEST_F(DatasetTest, ReadsEveryShapeOfRow) {
  const auto data = read(
      R"({"instruction": "add", "input": "1 2", "output": "3"})"
      "\n\n"
      R"({"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "yo"}]})"
      "\n"
      R"({"text": "plain"})"
      "\n");
  ASSERT_TRUE(data) << data.error().message;
  ASSERT_EQ(data->samples.size(), 3u);
  EXPECT_EQ(learned_text(data->samples[0]), "3<|im_end|>");
  EXPECT_NE(text_of(data->samples[0]).find("add\n1 2<|im_end|>"), std::string::npos);
  EXPECT_EQ(learned_text(data->samples[1]), "yo<|im_end|>");
  EXPECT_EQ(text_of(data->samples[2]), "plain<|endoftext|>");
  EXPECT_EQ(learned_text(data->samples[2]), "lain<|endoftext|>");
}

// A template that writes calls, as Hermes' does.
ChatRenderer calling(const text::Tokenizer& tokenizer) {
  return
      [render = chatml(tokenizer)](const Conversation& conversation, bool add_generation_prompt) {
        Conversation shown = conversation;
        for (auto& message : shown.messages)
          if (message.contains("tool_calls")) {
            message["content"] = "<call>" + message["tool_calls"][0]["function"].dump() + "</call>";
            message.erase("tool_calls");
          }
        return render(shown, add_generation_prompt);
      };
}

TEST_F(DatasetTest, LearnsToolCallsButNotTheirResults) {
  options_.sequence = 256;
  chat_ = calling(base_->tokenizer());
  const auto data =
      read(R"({"conversations": [{"from": "human", "value": "q"}, {"from": "function_call", )"
           R"("value": "{\"name\": \"f\", \"arguments\": {\"b\": 1, \"a\": 2}}"}, )"
           R"({"from": "observation", "value": "7"}, {"from": "gpt", "value": "seven"}]})"
           "\n");
  ASSERT_TRUE(data) << data.error().message;
  ASSERT_EQ(data->samples.size(), 1u);
  EXPECT_EQ(learned_text(data->samples[0]),
            R"(<call>{"name":"f","arguments":{"b":1,"a":2}}</call><|im_end|>seven<|im_end|>)");
  EXPECT_NE(text_of(data->samples[0]).find("tool\n7<|im_end|>"), std::string::npos);
}

TEST_F(DatasetTest, ReadsAFolderOfTextAndACorpusWithoutItsRejects) {
  const Path folder = temp_.path() / "folder";
  ASSERT_TRUE(make_directories(folder / "deep"));
  write_text(folder / "deep/a.txt", "alpha");
  write_text(folder / "b.md", "beta");
  write_text(folder / "c.pdf", "not text");
  auto data = read_dataset(std::vector{folder}, options_);
  ASSERT_TRUE(data) << data.error().message;
  ASSERT_EQ(data->samples.size(), 2u);
  EXPECT_EQ(text_of(data->samples[1]), "alpha\n<|endoftext|>");
  EXPECT_EQ(place_of(data->samples[0], data->files), (folder / "b.md").string());

  write_text(folder / "manifest.json", "{}");
  write_text(folder / "rejects-00000.jsonl", "{\"id\": \"1\", \"text\": \"refused\"}\n");
  write_text(folder / "documents-00000.jsonl", "{\"id\": \"2\", \"text\": \"kept\"}\n");
  data = read_dataset(std::vector{folder}, options_);
  ASSERT_TRUE(data) << data.error().message;
  ASSERT_EQ(data->samples.size(), 1u);
  EXPECT_EQ(text_of(data->samples[0]), "kept<|endoftext|>");

  const auto none = read_dataset(std::vector{temp_.path() / "absent"}, options_);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kNotFound);
}

TEST_F(DatasetTest, PiecesOfAPlainTextAreHeldOutEachOnItsOwn) {
  options_.sequence = 8;
  write_text(temp_.path() / "a.txt", "0123456789abcdefghij");
  const auto data = read_dataset(std::vector{temp_.path() / "a.txt"}, options_);
  ASSERT_TRUE(data) << data.error().message;
  ASSERT_EQ(data->samples.size(), 3u);
  EXPECT_NE(data->samples[0].row_hash, data->samples[1].row_hash);
}

TEST_F(DatasetTest, CutsLongTextIntoPiecesThatLearnEveryTokenOnce) {
  options_.sequence = 8;
  const auto samples = text_samples("0123456789abcdefghij", options_);
  std::string learned;
  for (const auto& sample : samples) {
    EXPECT_LE(sample.tokens.size(), 8u);
    learned += learned_text(sample);
  }
  EXPECT_EQ(learned, "123456789abcdefghij<|endoftext|>");
}

TEST_F(DatasetTest, CountsWhatTruncationTakes) {
  options_.sequence = 40;
  const std::string long_answer(100, 'x');
  const auto row = [](const std::string& question, const std::string& answer) {
    return to_text(Json{{"instruction", question}, {"output", answer}}) + "\n";
  };
  const auto data = read(row("a", long_answer) + row(long_answer, "b") + row("a", "b"));
  ASSERT_TRUE(data) << data.error().message;
  EXPECT_EQ(data->report.samples, 2);
  EXPECT_EQ(data->report.truncated_samples, 2);
  EXPECT_EQ(data->report.lost_samples, 1);
  EXPECT_EQ(data->samples[0].tokens.size(), 40u);
  EXPECT_GT(data->report.truncated_tokens, 100);
}

TEST_F(DatasetTest, NamesBadLinesAndEndsAboveOnePercent) {
  const std::string good = "{\"text\": \"good\"}\n";
  std::string rows;
  for (int i = 0; i < 150; ++i) rows += good;
  const auto fine = read(rows + "{\"text\": 5}\n");
  ASSERT_TRUE(fine) << fine.error().message;
  ASSERT_EQ(fine->report.bad.size(), 1u);
  EXPECT_TRUE(fine->report.bad[0].place.ends_with("rows.jsonl:151")) << fine->report.bad[0].place;
  EXPECT_EQ(fine->report.rows, 151);

  const auto refused = read(good + "{broken\n" + "{\"messages\": []}\n" +
                            R"({"messages": [{"role": "robot", "content": "x"}]})" + "\n" +
                            R"({"messages": [{"role": "user", "content": "x"}]})" + "\n");
  ASSERT_FALSE(refused);
  for (const char* part : {"4 of 5", "rows.jsonl:2", "rows.jsonl:3", "role robot", "no assistant"})
    EXPECT_NE(refused.error().message.find(part), std::string::npos) << refused.error().message;
}

TEST_F(DatasetTest, PacksSamplesAsSegmentsOfTheirOwn) {
  options_.sequence = 8;
  auto samples = text_samples("0123456789abcdefg", options_);  // 8, 8, 4 tokens
  samples[1].replay = true;
  std::vector<const Sample*> all;
  int64_t rows = 0;
  for (const auto& sample : samples) {
    all.push_back(&sample);
    rows += rows_of(sample);
  }
  const auto batches = pack(all, 14, {0.5f, 2.0f});
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[0].segment_starts, (std::vector<int32_t>{0, 7, 14}));
  EXPECT_EQ(batches[0].positions[7], 0);
  EXPECT_EQ(batches[0].targets[0], samples[0].tokens[1]);
  EXPECT_EQ(batches[0].weights[6], 0.5f);
  EXPECT_EQ(batches[0].weights[7], 2.0f);
  EXPECT_EQ(batches[0].rows() + batches[1].rows(), rows);
}

}  // namespace
}  // namespace plinth::train
