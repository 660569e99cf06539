#include "eval/eval.h"

#include <cmath>
#include <numbers>
#include <numeric>

#include <gtest/gtest.h>

#include "core/json.h"
#include "eval/characters.h"
#include "eval/tasks.h"
#include "eval/test_y_sayer.h"

namespace plinth::eval {
namespace {

constexpr double kLogit = 10;  // of the byte 'y'

const double kLogTotal = std::log(std::exp(kLogit) + 256);
const double kBitsOfY = (kLogTotal - kLogit) * std::numbers::log2e;
const double kBitsOfOther = kLogTotal * std::numbers::log2e;

std::unique_ptr<engine::Engine> start(const std::shared_ptr<const model::Model>& model) {
  auto engine =
      engine::Engine::start(model, {.kv_bytes = 1 << 20, .block_tokens = 4, .rows_max = 64});
  PLINTH_CHECK(engine.has_value(), "{}", engine.error().message);
  return *std::move(engine);
}

EvalOptions options(const engine::Engine& engine) {
  return {.prompt = [&engine](std::string_view question) -> Result<std::vector<int32_t>> {
            return engine.model().tokenizer().encode("Q: " + std::string(question) + "\nA: ",
                                                     false);
          },
          .answer_tokens_max = 3};
}

Suite suite_of(std::string_view jsonl) {
  auto suite = parse_jsonl_suite(jsonl, "suite");
  PLINTH_CHECK(suite.has_value(), "{}", suite.error().message);
  return *std::move(suite);
}

TEST(Eval, ChoicePrefersWhatTheModelPrefers) {
  const auto engine = start(y_sayer(kLogit));
  const auto result = run_suite(*engine, nullptr, suite_of(R"(
    {"id": "right", "question": "?", "choices": ["no", "yy"], "answer": 1}
    {"id": "wrong", "question": "?", "choices": ["no", "yy", "my"], "answer": 0}
    {"id": "normalised", "question": "?", "choices": ["x", "xxy"], "answer": 1})"),
                                options(*engine));
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->metric, "accuracy");
  EXPECT_NEAR(result->interval.mean, 2.0 / 3, 1e-12);
  EXPECT_NEAR(result->secondary, 1.0 / 3, 1e-12) << "undivided, the shorter x wins";
  EXPECT_EQ(result->items[0].prediction, "yy");
  EXPECT_EQ(result->items[2].chosen, 1);
  ASSERT_EQ(result->items[2].log_likelihoods.size(), 2u);
  EXPECT_NEAR(result->items[2].log_likelihoods[1], kLogit - 3 * kLogTotal, 1e-3);
}

TEST(Eval, ShortAnswersAreComparedWithoutCaseSpaceAndPunctuation) {
  const auto engine = start(y_sayer(kLogit));
  const auto result = run_suite(*engine, nullptr, suite_of(R"(
    {"id": "1", "question": "?", "answer": ["no", "Ｙ, y y。"]}
    {"id": "2", "question": "?", "answer": "yy"}
    {"id": "3", "question": "?", "answer": "n"})"),
                                options(*engine));
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_NEAR(result->interval.mean, 1.0 / 3, 1e-12);
  EXPECT_NEAR(result->secondary, 1.0 / 3, 1e-12) << "yy is no part of the word yyy";
  EXPECT_EQ(result->items[0].prediction, "yyy");
  EXPECT_NEAR(result->items[1].f1, 0.8, 1e-12);
  EXPECT_EQ(result->items[2].f1, 0);
}

TEST(Eval, AShortAnswerEndsWithItsTurn) {
  const auto engine = start(y_sayer(kLogit));
  auto ending = options(*engine);
  ending.stop_tokens = {'y'};
  const auto result =
      run_suite(*engine, nullptr, suite_of(R"({"question": "?", "answer": "y"})"), ending);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->items[0].prediction, "");
}

TEST(Eval, AnExamKeepsItsOrderAndJudgesEachItemByItsKind) {
  const auto engine = start(y_sayer(kLogit));
  const auto result = run_suite(*engine, nullptr, suite_of(R"(
    {"id": "1", "question": "?", "answer": "yyy"}
    {"id": "2", "question": "?", "choices": ["no", "yy"], "answer": 1}
    {"id": "3", "question": "?", "answer": "n"}
    {"id": "4", "question": "?", "choices": ["no", "yy"], "answer": 0})"),
                                options(*engine));
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->metric, "correct");
  EXPECT_EQ(result->interval.mean, 0.5);
  EXPECT_EQ(result->items[0].prediction, "yyy");
  EXPECT_EQ(result->items[1].prediction, "yy");
  EXPECT_EQ(result->items[2].id, "3");
  EXPECT_EQ(result->items[2].score, 0);
  EXPECT_EQ(result->items[3].kind, SuiteKind::kChoice);
  EXPECT_EQ(result->items[3].score, 0);
}

TEST(Eval, BitsPerCharacterAreTheSumByHand) {
  const auto engine = start(y_sayer(kLogit));
  const auto result =
      run_suite(*engine, nullptr, suite_of("{\"text\": \"yxyy\"}\n{\"text\": \"\xE4\xB8\xADy\"}"),
                options(*engine));
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_NEAR(result->items[0].score, (3 * kBitsOfY + kBitsOfOther) / 4, 1e-4);
  EXPECT_NEAR(result->items[1].score, (kBitsOfY + 3 * kBitsOfOther) / 2, 1e-4)
      << "one character of three bytes";
  EXPECT_NEAR(result->interval.mean, (4 * kBitsOfY + 4 * kBitsOfOther) / 6, 1e-4);
}

TEST(Eval, WindowsScoreEveryTokenOnceWithHalfAWindowOfContext) {
  EXPECT_TRUE(windows_of(1, 8).empty());
  EXPECT_EQ(windows_of(8, 8), (std::vector<Window>{{0, 8, 1}}));
  EXPECT_EQ(windows_of(14, 8), (std::vector<Window>{{0, 8, 1}, {4, 12, 8}, {8, 14, 12}}));
  for (int64_t size = 2; size < 60; ++size)
    for (const int64_t window : {4, 5, 8, 13}) {
      int64_t next = 1;
      for (const Window& w : windows_of(size, window)) {
        EXPECT_EQ(w.first_scored, next);
        EXPECT_LE(w.end - w.begin, window);
        EXPECT_GE(w.first_scored - w.begin, w.begin > 0 ? window / 2 : 1);
        next = w.end;
      }
      EXPECT_EQ(next, size);
    }
}

TEST(Eval, LongDocumentsCountEveryToken) {
  const auto engine = start(y_sayer(kLogit));
  EvalOptions narrow = options(*engine);
  narrow.window_tokens = 16;
  const std::string text = std::string(100, 'y') + std::string(50, 'n');
  const auto suite = parse_text_suite(text, "suite");
  const auto result = run_suite(*engine, nullptr, *suite, narrow);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_NEAR(result->items[0].bits, 100 * kBitsOfY + 50 * kBitsOfOther, 0.01);
}

TEST(Eval, BitsOfADocumentInOneWindowAreThoseOfScoring) {
  const auto engine = start(engine::random_model(engine::tiny_config(), 3, 0.5));
  const std::string text = "any old text, short enough";
  const auto result =
      run_suite(*engine, nullptr, *parse_text_suite(text, "suite"), options(*engine));
  std::vector<int32_t> tokens{256};
  for (const char c : text) tokens.push_back(static_cast<unsigned char>(c));
  const auto scores = engine->score({{.tokens = tokens, .first_scored = 1}});
  const double sum = std::accumulate((*scores)[0].begin(), (*scores)[0].end(), 0.0);
  EXPECT_NEAR(result->interval.mean, -sum * std::numbers::log2e / static_cast<double>(text.size()),
              1e-5);
}

TEST(Eval, RunsAreRepeatableAndAdaptersMatter) {
  const auto engine = start(engine::random_model(engine::tiny_config(), 3, 0.5));
  const auto adapter = engine::random_adapter(engine::tiny_config(), 4, 1, "one");
  const auto suite = parse_text_suite("some text\n\nand more of it", "suite");
  const auto a = run_suite(*engine, nullptr, *suite, options(*engine));
  const auto b = run_suite(*engine, nullptr, *suite, options(*engine));
  const auto tuned = run_suite(*engine, adapter, *suite, options(*engine));
  EXPECT_EQ(a->interval.mean, b->interval.mean);
  EXPECT_EQ(a->interval.lo, b->interval.lo);
  EXPECT_GT(std::abs(a->interval.mean - tuned->interval.mean), 1e-3);
}

TEST(Eval, ErrorsNameTheItem) {
  const auto engine = start(y_sayer(kLogit));
  const std::string question(200, 'q');
  const auto suite = suite_of(R"({"id": "long", "question": ")" + question +
                              R"(", "choices": ["a", "b"], "answer": 0})");
  const auto choice = run_suite(*engine, nullptr, suite, options(*engine));
  EXPECT_EQ(choice.error().message,
            "suite item long: prompt and choice 0 are 208 tokens, the context holds 128");
  const auto answer =
      run_suite(*engine, nullptr,
                suite_of(R"({"id": "long", "question": ")" + question + R"(", "answer": "a"})"),
                options(*engine));
  EXPECT_EQ(answer.error().message,
            "suite item long: 207 tokens do not fit: the context holds 128, the KV cache 8192");
  EXPECT_FALSE(run_suite(*engine, nullptr, suite, {}));
}

TEST(Eval, WritesResultAndItems) {
  const auto engine = start(y_sayer(kLogit));
  const auto suite = suite_of(R"(
    {"id": "a", "question": "?", "answer": "yyy"}
    {"id": "b", "question": "?", "answer": "n"})");
  const auto result = run_suite(*engine, nullptr, suite, options(*engine));
  const auto folder = TempDirectory::create();
  ASSERT_TRUE(write_result(folder->path() / "out", *result));
  const auto summary =
      parse_json(*read_file(folder->path() / "out" / "result.json"), "result.json");
  EXPECT_EQ((*summary)["suite"], "suite");
  EXPECT_EQ((*summary)["metric"], "exact_match");
  EXPECT_EQ((*summary)["mean"], 0.5);
  EXPECT_EQ((*summary)["items"], 2);
  const auto rows = *read_file(folder->path() / "out" / "items.jsonl");
  const auto first = parse_json(std::string_view(rows).substr(0, rows.find('\n')), "row");
  EXPECT_EQ((*first)["id"], "a");
  EXPECT_EQ((*first)["prediction"], "yyy");
}

TEST(Characters, NormalisationDropsWhatDoesNotMatter) {
  EXPECT_EQ(normalised("《民法典》 第１２条。"), U"民法典第12条");
  EXPECT_EQ(normalised("ABC, d-e!"), U"abcde");
  EXPECT_EQ(normalised("\xFF"), U"\uFFFD");
  EXPECT_EQ(count_characters("a中\xF0\x9F\x98\x80"), 3);
}

TEST(Characters, AStatedAnswerStandsWhole) {
  EXPECT_TRUE(states("制动间隙是 0.35 毫米。", "0.35毫米"));
  EXPECT_TRUE(states("是,23分钟", "23分钟"));
  EXPECT_TRUE(states("云垫Ｒ07。", "云垫r07"));
  EXPECT_FALSE(states("14毫米", "4毫米"));
  EXPECT_FALSE(states("10.4毫米", "4毫米"));
  EXPECT_FALSE(states("1,200元", "200元"));
  EXPECT_FALSE(states("每12.5", "12"));
  EXPECT_TRUE(states("先14毫米,后4毫米", "4毫米"));
  EXPECT_FALSE(states("XR07", "R07"));
  EXPECT_FALSE(states("", "4"));
  EXPECT_FALSE(states("4", " "));
}

TEST(Characters, F1CountsSharedCharacters) {
  EXPECT_EQ(character_f1(U"", U""), 1);
  EXPECT_EQ(character_f1(U"ab", U""), 0);
  EXPECT_NEAR(character_f1(U"abc", U"cbd"), 2.0 * 2 / 6, 1e-12);
  EXPECT_NEAR(character_f1(U"aab", U"ab"), 2.0 * 2 / 5, 1e-12);
}

}  // namespace
}  // namespace plinth::eval
