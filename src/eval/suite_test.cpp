#include "eval/suite.h"

#include <gtest/gtest.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace plinth::eval {
namespace {

std::string error_of(std::string_view jsonl) {
  const auto suite = parse_jsonl_suite(jsonl, "s.jsonl");
  return suite ? "fine" : suite.error().message;
}

TEST(Suite, ChoiceAndShortTogetherAreAnExam) {
  const auto exam = parse_jsonl_suite(
      R"({"id": "1", "type": "choice", "question": "q", "choices": ["a", "b"], "answer": 1})"
      "\n"
      R"({"id": "2", "type": "short", "question": "q", "answer": "a"})",
      "s.jsonl");
  ASSERT_TRUE(exam);
  EXPECT_EQ(exam->kind, SuiteKind::kExam);
  EXPECT_EQ(exam->items[0].kind, SuiteKind::kChoice);
  EXPECT_EQ(exam->items[1].kind, SuiteKind::kShort);
}

TEST(Suite, ReadsTheThreeKinds) {
  const auto choice = parse_jsonl_suite(
      R"({"id": "x", "type": "choice", "question": "q", "choices": ["a", "b"], "answer": 1})", "s");
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->kind, SuiteKind::kChoice);
  EXPECT_EQ(choice->items[0].answer, 1);
  const auto answers = parse_jsonl_suite(
      "\r\n{\"question\": \"q\", \"answer\": \"a\"}\r\n\n"
      "{\"question\": \"q\", \"answer\": [\"a\", \"b\"]}",
      "s");
  ASSERT_TRUE(answers);
  EXPECT_EQ(answers->kind, SuiteKind::kShort);
  EXPECT_EQ(answers->items[0].id, "2");
  EXPECT_EQ(answers->items[1].answers.size(), 2u);
  const auto text =
      parse_jsonl_suite(R"({"id": 7, "text": "t", "title": "other keys are fine"})", "s");
  ASSERT_TRUE(text);
  EXPECT_EQ(text->kind, SuiteKind::kText);
  EXPECT_EQ(text->items[0].id, "7");
}

TEST(Suite, BadLinesAreErrorsWithFileAndLine) {
  EXPECT_EQ(error_of(""), "s.jsonl: no items");
  EXPECT_EQ(error_of("\n[1]"), "s.jsonl:2: not a JSON object");
  EXPECT_EQ(error_of("{}"), "s.jsonl:1: no type, question or text");
  EXPECT_EQ(error_of(R"({"type": "essay"})"),
            "s.jsonl:1: type 'essay' is not choice, short or text");
  EXPECT_EQ(error_of(R"({"question": "q", "choices": ["a"], "answer": 0})"),
            "s.jsonl:1: 1 choices are too few");
  EXPECT_EQ(error_of(R"({"question": "q", "choices": ["a", "b"], "answer": 2})"),
            "s.jsonl:1: answer 2 is outside 0..1");
  EXPECT_EQ(error_of(R"({"question": "q", "choices": ["a", ""], "answer": 1})"),
            "s.jsonl:1: 'choices' has something that is not a string with text in it");
  EXPECT_EQ(error_of(R"({"question": "q", "answer": []})"), "s.jsonl:1: 'answer' is an empty list");
  EXPECT_EQ(error_of(R"({"question": "q"})"), "s.jsonl:1: key 'answer' is missing");
  EXPECT_EQ(error_of(R"({"question": " ", "answer": "a"})"), "s.jsonl:1: the question is empty");
  EXPECT_EQ(error_of("{\"text\": \"t\"}\n{\"question\": \"q\", \"answer\": \"a\"}"),
            "s.jsonl:2: a short item in a text suite");
  EXPECT_EQ(error_of("{\"id\": \"1\", \"text\": \"t\"}\n{\"id\": 1, \"text\": \"t\"}"),
            "s.jsonl:2: id '1' comes twice");
  EXPECT_NE(error_of("{\"text\": ").find("s.jsonl:1"), std::string::npos);
  EXPECT_NE(error_of("{\"text\": 5}").find("s.jsonl:1"), std::string::npos);
}

TEST(Suite, ParagraphsOfAPlainTextAreItsDocuments) {
  const auto suite = parse_text_suite("one\r\ntwo\n \n\n three\n", "s.txt");
  ASSERT_TRUE(suite);
  ASSERT_EQ(suite->items.size(), 2u);
  EXPECT_EQ(suite->items[0].text, "one\ntwo");
  EXPECT_EQ(suite->items[1].text, " three");
  EXPECT_FALSE(parse_text_suite("\n \n", "s.txt"));
}

TEST(Suite, IsReadByItsFileName) {
  const auto folder = TempDirectory::create();
  ASSERT_TRUE(write_file_atomic(folder->path() / "law.jsonl", R"({"text": "t"})"));
  ASSERT_TRUE(write_file_atomic(folder->path() / "law.txt", R"({"text": "t"})"));
  EXPECT_EQ(read_suite(folder->path() / "law.jsonl")->items[0].text, "t");
  EXPECT_EQ(read_suite(folder->path() / "law.txt")->items[0].text, R"({"text": "t"})");
  EXPECT_EQ(read_suite(folder->path() / "law.txt")->name, "law");
  EXPECT_FALSE(read_suite(folder->path() / "none.jsonl"));
}

// What the fuzzer starts from, and every beginning of it.
TEST(Suite, SurvivesTheFuzzersSeeds) {
  for (const std::string_view seed :
       {std::string_view(
            R"({"id": 1, "type": "choice", "question": "q", "choices": ["a", "b"], "answer": 1})"),
        std::string_view(R"({"question": "问", "answer": ["答", "\ud800"]})"),
        std::string_view("{\"text\": \"\xFF\xFE\"}\n{\"text\": null}"),
        std::string_view("[[[[[[[[[[[[[[[[{\"a\":1e999}"), std::string_view("\0\r\n\xE4\xB8", 5)})
    for (size_t n = 0; n <= seed.size(); ++n)
      EXPECT_EQ(LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(seed.data()), n), 0);
}

}  // namespace
}  // namespace plinth::eval
