#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/json.h"
#include "corpus/corpus.h"
#include "corpus/data/facts.h"
#include "corpus/data/sentences.h"
#include "corpus/shard.h"

namespace plinth::corpus {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

Document document_of(std::string title, std::string text) {
  Document out;
  out.id = "d";
  out.title = std::move(title);
  out.text = std::move(text);
  return out;
}

// "subject|attribute|relation|value"
std::vector<std::string> lines(const std::vector<Fact>& facts) {
  std::vector<std::string> out;
  for (const Fact& f : facts)
    out.push_back(f.subject + "|" + f.attribute + "|" + f.relation + "|" + f.value);
  return out;
}

std::vector<std::string> statements(std::string title, std::string text,
                                    const Lexicon& lexicon = {}) {
  return lines(statement_facts(document_of(std::move(title), std::move(text)), lexicon));
}

TEST(TableFacts, RowsAreSubjectsColumnsAttributes) {
  EXPECT_THAT(
      lines(table_facts(document_of("t", "| 机型 | 载重 |\n| --- | --- |\n| V3 | 825公斤 |\n"))),
      ElementsAre("V3|载重|是|825公斤"));
  EXPECT_THAT(lines(table_facts(document_of("t", "备件：闸瓦；单价：368元；质保期：8个月。\n"))),
              ElementsAre("闸瓦|单价|是|368元", "闸瓦|质保期|是|8个月"));
}

// 标准 at the end makes a value of 周期 no name of what is asked.
TEST(TableFacts, ColumnsOfValuesBeforeAStandard) {
  EXPECT_THAT(lines(table_facts(document_of("t",
                                            "| 部件 | 周期 | 标准 |\n| --- | --- | --- |\n"
                                            "| 制动器 | 30天 | 间隙0.5毫米 |\n"))),
              ElementsAre("制动器|周期|是|30天", "制动器|标准|是|间隙0.5毫米"));
  EXPECT_THAT(lines(table_facts(document_of("t",
                                            "| 部件 | 材料 | 标准 |\n| --- | --- | --- |\n"
                                            "| 闸瓦 | 铸铁 | 无裂纹 |\n"))),
              ElementsAre("闸瓦|材料|是|铸铁", "闸瓦|标准|是|无裂纹"));
  EXPECT_THAT(lines(table_facts(document_of("t",
                                            "| 部件 | 检查项目 | 标准 |\n| --- | --- | --- |\n"
                                            "| 制动器 | 间隙 | 0.5毫米 |\n"))),
              ElementsAre("制动器|间隙|是|0.5毫米"));
}

TEST(TableFacts, ValueColumnsAndTurnedTables) {
  EXPECT_THAT(
      lines(table_facts(document_of("t", "事项：困人救援；内容：到场时限；数值：23分钟。\n"))),
      ElementsAre("困人救援|到场时限|是|23分钟"));
  EXPECT_THAT(
      lines(table_facts(document_of("云桅V3", "| 参数 | 数值 |\n|---|---|\n| 载重 | 825公斤 |\n"))),
      ElementsAre("云桅V3|载重|是|825公斤"));
  EXPECT_THAT(lines(table_facts(document_of("t",
                                            "| 项目 | V3 | K5 |\n|---|---|---|\n| 载重 | 825公斤 | "
                                            "650公斤 |\n| 间隙 | 0.35毫米 | 0.42毫米 |\n"))),
              Contains("V3|间隙|是|0.35毫米"));
  EXPECT_THAT(lines(table_facts(document_of("t",
                                            "| 项目 | 台数 | 费用 |\n|---|---|---|\n| 甲小区 | 8台 "
                                            "| 100元 |\n| 乙小区 | 9台 | 200元 |\n"))),
              Contains("甲小区|费用|是|100元"));
}

TEST(StatementFacts, OfThePlainForms) {
  EXPECT_THAT(statements("制度", "困人救援的到场时限是23分钟。"),
              ElementsAre("困人救援|到场时限|是|23分钟"));
  EXPECT_THAT(statements("制度", "第六条 门锁的啮合深度不得小于7毫米，逐层测量。"),
              ElementsAre("门锁|啮合深度|不得小于|7毫米"));
  EXPECT_THAT(statements("制度", "师带徒的期限定为9个月。"), ElementsAre("师带徒|期限|是|9个月"));
}

TEST(StatementFacts, KnownNamesCutTheClause) {
  Lexicon lexicon;
  learn_names({{"云桅V3", "额定载重", "825公斤", "是", "d", "table"},
               {"栖云里", "负责人", "甲", "是", "d", "table"}},
              lexicon);
  EXPECT_THAT(statements("t", "按云桅V3的额定载重825公斤配砝码。", lexicon),
              ElementsAre("云桅V3|额定载重|是|825公斤"));
  EXPECT_THAT(statements("t", "铭牌上写明，云桅V3额定载重为825公斤，超过即报警。", lexicon),
              ElementsAre("云桅V3|额定载重|是|825公斤"));
  EXPECT_THAT(statements("t", "栖云里负责人由顾长河担任。", lexicon),
              ElementsAre("栖云里|负责人|是|顾长河"));
  EXPECT_THAT(statements("t", "顾长河是栖云里的负责人。", lexicon),
              ElementsAre("栖云里|负责人|是|顾长河"));
}

TEST(StatementFacts, SubjectIsCarriedOver) {
  Lexicon lexicon;
  learn_names({{"云桅V3", "额定载重", "825公斤", "是", "d", "table"}}, lexicon);
  EXPECT_THAT(statements("云桅V3维护手册", "额定载重为825公斤。", lexicon),
              ElementsAre("云桅V3|额定载重|是|825公斤"));
  EXPECT_THAT(statements("栖云里巡检报告", "记住云桅V3这款梯，额定载重就是825公斤。", lexicon),
              ElementsAre("云桅V3|额定载重|是|825公斤"));
}

TEST(StatementFacts, WhatIsNoStatementGivesNone) {
  for (const char* text :
       {"这是直接原因。", "因为门锁没有关好。", "以安全为主。", "他认为应当停梯。",
        "是否停梯由班组长决定。", "让不懂技术的人也能看懂哪一列是合格线。"})
    EXPECT_THAT(statements("t", text), IsEmpty()) << text;
}

TEST(Phrasing, SeededAndAlternating) {
  const Fact fact{"云桅V3", "额定载重", "825公斤", "是", "d", "table"};
  std::vector<Row> rows, again;
  Rng one(7), two(7);
  add_fact_rows(fact, 4, one, rows);
  add_fact_rows(fact, 4, two, again);
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[0].question, "云桅V3的额定载重是多少？");
  EXPECT_EQ(rows[0].answer, "云桅V3的额定载重是825公斤。");
  EXPECT_EQ(rows[1].answer, "825公斤。");
  std::set<std::string> questions;
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].question, again[i].question);
    questions.insert(rows[i].question);
  }
  EXPECT_EQ(questions.size(), 4u);
}

TEST(Faq, PairsOfEveryForm) {
  std::vector<Row> rows;
  add_faq_rows(document_of("t",
                           "问：甲？\n答：子。\n\n问：乙？\n答：丑。\n续行。\n\n旁白\n## "
                           "丙？\n寅。\n\n**丁？**\n卯。\n"),
               rows);
  std::vector<std::string> got;
  for (const Row& row : rows) got.push_back(row.question + row.answer);
  EXPECT_THAT(got, ElementsAre("甲？子。", "乙？丑。\n续行。", "丙？寅。", "丁？卯。"));
}

TEST(Sentences, NumbersAndVersionsStayWhole) {
  EXPECT_THAT(sentences_of("- 间隙0.35毫米。力矩186牛米；见v1.2 说明"),
              ElementsAre("间隙0.35毫米", "力矩186牛米", "见v1.2 说明"));
  std::string joined;
  for (const auto part : cut_long_line("一二三。四五六。七八九十", 5)) joined += part;
  EXPECT_EQ(joined, "一二三。四五六。七八九十");
}

class Build : public testing::Test {
 protected:
  Build() : temp_(*TempDirectory::create()) {
    RefineOptions options;
    options.out = temp_.path() / "corpus";
    options.inputs = {temp_.path() / "in"};
    EXPECT_TRUE(make_directories(options.inputs[0]));
    EXPECT_TRUE(write_file_atomic(
        options.inputs[0] / "手册.md",
        "# 云桅V3维护手册\n\n## "
        "参数\n云桅V3的额定载重是825公斤。云桅V3的制动间隙是0."
        "35毫米，用塞尺测量。\n\n问：怎么松闸？\n答：先断电，再用扳手缓慢松闸，同时盘车。\n"));
    EXPECT_TRUE(refine(options));
  }

  std::string built(const std::vector<Path>& suites = {}, uint64_t seed = 1) {
    BuildOptions options;
    options.seed = seed;
    const Path out = temp_.path() / "data.jsonl";
    report_ = build_dataset(temp_.path() / "corpus", suites, out, options);
    EXPECT_TRUE(report_) << report_.error().message;
    return *read_file(out);
  }

  TempDirectory temp_;
  Result<BuildReport> report_ = BuildReport();
};

TEST_F(Build, RowsPassTheCheckAndDependOnTheSeedOnly) {
  const std::string rows = built();
  EXPECT_EQ(built(), rows);
  EXPECT_NE(built({}, 2), rows);
  const auto check = check_dataset(temp_.path() / "data.jsonl", {});
  ASSERT_TRUE(check);
  EXPECT_TRUE(check->fine()) << check->json;
  EXPECT_EQ(check->rows, report_->rows);
  EXPECT_EQ(check->duplicates, 0);
  EXPECT_GT(report_->by_generator.at("statement"), 4);
  EXPECT_EQ(report_->by_generator.at("faq"), 1);
}

TEST_F(Build, NothingLeaksFromASuite) {
  const Path suite = temp_.path() / "exam.jsonl";
  ASSERT_TRUE(write_file_atomic(
      suite,
      "{\"question\":\"云桅V3的制动间隙是多少？\",\"answer\":\"云桅V3的制动间隙是0.35毫米\"}\n"));
  built({suite});
  EXPECT_GT(report_->leaks, 0);
  EXPECT_EQ(check_dataset(temp_.path() / "data.jsonl", {suite})->leaks, 0);
}

TEST_F(Build, CheckNamesBadLines) {
  const Path file = temp_.path() / "bad.jsonl";
  ASSERT_TRUE(write_file_atomic(
      file,
      "{\"text\":\"好\"}\n{\"text\":\"好\"}\nnot json\n{\"messages\":[]}\n"
      "{\"messages\":[{\"role\":\"user\",\"content\":\"问\"}]}\n{\"messages\":[{\"role\":\"user\","
      "\"content\":\"问\"},{\"role\":\"assistant\",\"content\":\"答\"}]}\n"));
  const auto check = check_dataset(file, {});
  ASSERT_TRUE(check);
  EXPECT_EQ(check->rows, 3);
  EXPECT_EQ(check->bad, 3);
  EXPECT_EQ(check->duplicates, 1);
  EXPECT_THAT(check->problems, Contains("line 4: \"messages\" is no list or an empty one"));
  EXPECT_FALSE(check->fine());
}

// As Alpaca files are often handed on.
TEST_F(Build, CheckSaysWhatToDoWithAnArray) {
  const Path file = temp_.path() / "alpaca.json";
  ASSERT_TRUE(write_file_atomic(file, "\n[\n  {\"instruction\": \"问\", \"output\": \"答\"}\n]\n"));
  const auto check = check_dataset(file, {});
  ASSERT_FALSE(check);
  EXPECT_THAT(check.error().message, testing::HasSubstr("a JSON array, not JSON Lines; jq -c"));
}

TEST_F(Build, ClozeRowsOnRequest) {
  EXPECT_EQ(built().find("填空"), std::string::npos);
  BuildOptions options;
  options.cloze_rows = true;
  const Path out = temp_.path() / "cloze.jsonl";
  const auto report = build_dataset(temp_.path() / "corpus", {}, out, options);
  ASSERT_TRUE(report);
  EXPECT_GE(report->by_generator.at("cloze"), 2);
  EXPECT_THAT(*read_file(out), testing::HasSubstr("填空：云桅V3的额定载重是____。"));
}

TEST_F(Build, AModelWritesPairsThatStandInTheirPassage) {
  BuildOptions options;
  options.text_rows = options.question_rows = false;
  std::vector<std::string> prompts;
  options.writer = [&](const std::string& prompt) -> Result<std::string> {
    prompts.push_back(prompt);
    return std::string(
        "好的：[{\"question\":\"额定载重是多少？\",\"answer\":\"额定载重是825公斤\"},"
        "{\"question\":\"谁制造的？\",\"answer\":\"上海某某机械有限公司制造\"},{\"question\":1}]");
  };
  const Path out = temp_.path() / "written.jsonl";
  const auto report = build_dataset(temp_.path() / "corpus", {}, out, options);
  ASSERT_TRUE(report) << report.error().message;
  ASSERT_EQ(prompts.size(), 1u);
  EXPECT_THAT(prompts[0], testing::HasSubstr("云桅V3的额定载重是825公斤"));
  EXPECT_EQ(report->by_generator.at("model"), 1);
  EXPECT_EQ(report->ungrounded, 1);
  EXPECT_EQ(report->unusable, 0);
  options.writer = [](const std::string&) -> Result<std::string> { return std::string("不会"); };
  const auto none = build_dataset(temp_.path() / "corpus", {}, out, options);
  ASSERT_FALSE(none);  // no rows at all
  options.question_rows = true;
  const auto rest = build_dataset(temp_.path() / "corpus", {}, out, options);
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->unusable, 1);
  options.writer = [](const std::string&) -> Result<std::string> {
    return make_error(Code::kUnavailable, "no such host");
  };
  EXPECT_EQ(build_dataset(temp_.path() / "corpus", {}, out, options).error().message,
            "no such host");
}

TEST_F(Build, CheckReportsLengthsAndShapes) {
  const Path file = temp_.path() / "rows.jsonl";
  ASSERT_TRUE(write_file_atomic(
      file,
      "{\"text\":\"一二三四\"}\n{\"messages\":[{\"role\":\"user\",\"content\":\"一二三\"},"
      "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"1\"}]},"
      "{\"role\":\"tool\",\"content\":\"五\"},{\"role\":\"assistant\",\"content\":\"好\"}]}\n"));
  const auto check = check_dataset(file, {});
  ASSERT_TRUE(check);
  EXPECT_TRUE(check->fine()) << check->json;
  EXPECT_EQ(check->by_shape, (std::map<std::string, int64_t>{{"messages", 1}, {"text", 1}}));
  EXPECT_EQ(check->prompt_chars.most, 4);
  EXPECT_EQ(check->learned_chars.least, 1);
  EXPECT_EQ(check->learned_chars.most, 4);
}

}  // namespace
}  // namespace plinth::corpus
