// Keywords, the learned quality score, and what a run makes of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/json.h"
#include "core/rng.h"
#include "corpus/clean/keywords.h"
#include "corpus/clean/personal_data.h"
#include "corpus/clean/quality_model.h"
#include "corpus/corpus.h"
#include "corpus/shard.h"

namespace plinth::corpus {
namespace {

using testing::HasSubstr;

constexpr std::string_view kLibrary = R"(
[[class]]
id = "a1"
name = "甲"
action = "drop"
hits_min = 2
words = ["坏词", "bad word"]
[[class]]
id = "b1"
name = "乙"
words = ["可疑说法"]
)";

TEST(Keywords, CountByClassFromTheirThresholdOn) {
  const auto library = KeywordLibrary::parse(kLibrary, "k.toml");
  ASSERT_TRUE(library) << library.error().message;
  EXPECT_EQ(library->size(), 3u);
  EXPECT_TRUE(library->find("坏词一次，不算。").empty());
  const auto hits = library->find("坏词，又是坏词，bad word，还有可疑说法");
  ASSERT_EQ(hits.size(), 2u);
  EXPECT_EQ(hits[0].hits, 3);
  EXPECT_THAT(hits[0].words, testing::ElementsAre("坏词", "bad word"));
  EXPECT_EQ(hits[1].risk_class, 1u);
}

TEST(Keywords, RefusesWhatIsNoLibrary) {
  for (const char* text :
       {"[[class]]\nname = \"x\"\n", "[[class]]\nid = \"a\"\naction = \"burn\"\n",
        "[[class]]\nid = \"a\"\n[[class]]\nid = \"a\"\n",
        "[[class]]\nid = \"a\"\nwords = [\"坏\"]\n", "[[class]]\nid = \"a\"\nword = [\"坏词\"]\n"})
    EXPECT_FALSE(KeywordLibrary::parse(text, "k.toml")) << text;
}

TEST(Keywords, TheShippedClassesAreThirtyOne) {
  const auto library =
      KeywordLibrary::read(Path(PLINTH_SOURCE_DIR) / "recipes" / "risk-classes.toml");
  ASSERT_TRUE(library) << library.error().message;
  EXPECT_EQ(library->classes().size(), 31u);
}

std::vector<QualityExample> examples() {
  Rng rng(1);
  std::vector<QualityExample> out;
  const std::vector<std::string> good = {"应当", "规定", "检查", "记录",
                                         "负责", "单位", "。",   "，"},
                                 bad = {"点击", "免费", "下载", "加群", "！", "秒杀", "｜", "领取"};
  for (int i = 0; i < 400; ++i) {
    std::string text;
    for (int k = 0; k < 40; ++k) {
      const auto& words = (i % 2 == 0) == (rng.below(10) > 0) ? good : bad;
      text += words[rng.below(words.size())];
    }
    out.push_back({text, i % 2 == 0});
  }
  return out;
}

TEST(QualityModel, LearnsAndSurvivesItsFile) {
  const auto trained = train_quality(examples(), 1);
  ASSERT_TRUE(trained) << trained.error().message;
  EXPECT_GT(trained->held_out_accuracy, 0.95);
  EXPECT_GT(trained->held_out_auc, 0.98);
  const std::string bytes = trained->model.bytes();
  EXPECT_EQ(train_quality(examples(), 1)->model.bytes(), bytes);
  const auto read = QualityModel::parse(bytes, "m");
  ASSERT_TRUE(read);
  const std::string good = "单位应当检查，并负责记录。";
  EXPECT_EQ(read->score(good), trained->model.score(good));
  EXPECT_GT(read->score(good), 0.6);
  EXPECT_LT(read->score("免费下载｜点击领取！加群秒杀！"), 0.4);
  for (size_t n = 0; n < bytes.size(); n += 997)
    EXPECT_FALSE(QualityModel::parse(std::string_view(bytes).substr(0, n), "m"));
  const auto earlier = QualityModel::parse("plinthQ1" + bytes.substr(8), "m");
  ASSERT_FALSE(earlier);
  EXPECT_THAT(earlier.error().message, testing::HasSubstr("train it again"));
}

TEST(QualityModel, TooFewExamplesAreAnError) {
  EXPECT_FALSE(train_quality({{"好", true}, {"坏", false}}, 1));
}

TEST(PersonalText, WhatHasNoChecksumNeedsAWitness) {
  const auto kinds = [](std::string_view text) {
    std::string out;
    for (const PiiHit& hit : find_personal_data(text))
      if (!hit.near_miss)
        out += fmt::format("{}={};", hit.kind, text.substr(hit.begin, hit.end - hit.begin));
    return out;
  };
  EXPECT_EQ(kinds("护照号码：E12345678，"), "passport=E12345678;");
  EXPECT_EQ(kinds("型号E12345678，"), "");
  EXPECT_EQ(kinds("车牌京A12345和粤B·D12345"), "plate=京A12345;plate=粤B·D12345;");
  EXPECT_EQ(kinds("粤B1234港，京A1234"), "plate=粤B1234港;");
  EXPECT_EQ(kinds("请寄往浙江省杭州市西湖区文三路12号3栋2单元501室。"),
            "address=浙江省杭州市西湖区文三路12号3栋2单元501室;");
  EXPECT_EQ(kinds("公司位于北京市海淀区中关村大街27号。"), "");
  EXPECT_EQ(kinds("请联系张小明先生或欧阳明女士，王先生除外。"), "name=张小明;name=欧阳明;");
  EXPECT_EQ(kinds("任何同志、高级经理和各位女士"), "");
  EXPECT_EQ(mask_value("plate", "京A12345"), "京A***45");
  EXPECT_EQ(mask_value("passport", "E12345678"), "E******78");
  EXPECT_EQ(mask_value("name", "张小明"), "张**");
  EXPECT_EQ(mask_value("address", "文三路12号501室"), "文三路**号***室");
}

class Compliance : public testing::Test {
 protected:
  void put(const std::string& name, std::string_view bytes) {
    const Path path = temp_.path() / name;
    ASSERT_TRUE(make_directories(path.parent_path()));
    ASSERT_TRUE(write_file_atomic(path, bytes));
  }

  TempDirectory temp_ = *TempDirectory::create();
};

TEST_F(Compliance, RecipeReviewAndTrace) {
  put("k.toml", kLibrary);
  put("r.toml",
      "[refine]\nkeywords = \"k.toml\"\nlicence_required = true\n"
      "[[refine.source]]\npath = \"law/\"\nname = \"法规库\"\nlicence = \"public domain\"\n"
      "[[refine.source]]\npath = \"law/x/\"\nlicence = \"contract 7\"\n");
  put("in/law/a.md",
      "# 总则\n\n第一条 电梯使用单位应当建立安全技术档案，并长期保存。\n\n"
      "第二条 联系电话13800138000，可疑说法也在这里出现了一次。\n");
  put("in/law/x/b.txt", "=第三条 维护保养单位应当对其维护保养的电梯的安全性能负责。\n");
  put("in/law/c.txt", "这一篇里有坏词，而且坏词不止一次，所以它不应当留在语料里。\n");
  put("in/web/d.txt", "这一篇的来源没有登记许可，按照配方的要求，它也不应当留下。\n");
  const auto recipe = read_recipe(temp_.path() / "r.toml");
  ASSERT_TRUE(recipe) << recipe.error().message;
  RefineOptions options;
  options.inputs = {temp_.path() / "in"};
  options.out = temp_.path() / "out";
  options.recipe = *recipe;
  const auto report = refine(options);
  ASSERT_TRUE(report) << report.error().message;
  const Json json = *parse_json(report->json, "report");
  EXPECT_EQ(json["rejects_by_stage"], (Json{{"keyword", 1}, {"licence", 1}}));
  EXPECT_EQ(json["risks"]["b1"]["kept"], 1);
  EXPECT_EQ(json["licences"]["contract 7"]["documents"], 1);
  const auto documents = read_documents(options.out);
  ASSERT_EQ(documents->size(), 2u);
  EXPECT_EQ((*documents)[0].source.licence, "public domain");
  EXPECT_THAT(*read_file(options.out / "manifest.json"), HasSubstr("法规库"));

  const Document& first = (*documents)[0];
  const size_t at = first.text.find("可疑");
  const auto traced = trace_byte(options.out, first.id, at, options.inputs);
  ASSERT_TRUE(traced) << traced.error().message;
  const Json place = *parse_json(*traced, "trace");
  EXPECT_EQ(place["headings"], Json({"总则"}));
  EXPECT_EQ(place["input"]["exact"], true);
  const std::string raw = *read_file(temp_.path() / "in/law/a.md");
  const auto begin = place["input"]["range"][0].get<size_t>(),
             end = place["input"]["range"][1].get<size_t>();
  EXPECT_EQ(raw.substr(begin, end - begin),
            "第二条 联系电话13800138000，可疑说法也在这里出现了一次。");
  EXPECT_FALSE(trace_byte(options.out, first.id, first.text.size(), {}));
  put("in/law/a.md", "改了");
  EXPECT_THAT(*trace_byte(options.out, first.id, at, options.inputs), HasSubstr("has changed"));

  const Path sheets = temp_.path() / "sheets";
  ASSERT_EQ(*write_review(options.out, sheets), 2);
  std::string csv = *read_file(sheets / "sheet.csv");
  EXPECT_THAT(csv, HasSubstr("'=第三条"));
  EXPECT_EQ(read_verdicts(sheets / "sheet.csv")->open, 2);
  put("filled.csv", "id,source,verdict,risk_class\n1,law/a,合格,\n2,law/b,fail,a1\n3,web/c,,\n");
  const auto verdicts = read_verdicts(temp_.path() / "filled.csv");
  ASSERT_TRUE(verdicts) << verdicts.error().message;
  EXPECT_EQ(verdicts->all.reviewed, 2);
  EXPECT_EQ(verdicts->all.passed, 1);
  EXPECT_EQ(verdicts->open, 1);
  EXPECT_EQ(verdicts->failed_by_class.at("a1"), 1);
  put("bad.csv", "id,verdict\n1,perhaps\n");
  EXPECT_FALSE(read_verdicts(temp_.path() / "bad.csv"));
}

TEST(PassRate, WilsonsInterval) {
  // Brown, Cai and DasGupta, "Interval Estimation for a Binomial Proportion": 0 of 10 and others.
  const auto none = PassRate{10, 0}.interval();
  EXPECT_DOUBLE_EQ(none.lo, 0);
  EXPECT_NEAR(none.hi, 0.2775, 1e-4);
  const auto most = PassRate{1000, 985}.interval();
  EXPECT_NEAR(most.lo, 0.9754, 1e-4);
  EXPECT_NEAR(most.hi, 0.9909, 1e-4);
}

}  // namespace
}  // namespace plinth::corpus
