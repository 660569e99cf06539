#include "corpus/clean/filters.h"

#include <gtest/gtest.h>

namespace plinth::corpus {
namespace {

std::string stage(const std::string& text, const Limits& limits = profiles()[0].limits) {
  const auto judged = judge(text, measure(text), limits);
  return judged.drop ? judged.drop->stage : "";
}

const char* const kGood =
    "第一条 为了规范电梯维护保养工作，保障乘客安全，根据有关法律，制定本办法。\n"
    "第二条 维护保养单位应当在接到报警后三十分钟内到达现场，并如实记录救援过程。\n"
    "第三条 使用单位应当配合检查，不得拒绝提供技术资料。\n";

TEST(Filters, GoodTextStays) {
  EXPECT_EQ(stage(kGood), "");
  EXPECT_GT(judge(kGood, measure(kGood)).quality, 0.7);
}

TEST(Filters, ShortSymbolicBrokenAndRepeatedTextGoes) {
  EXPECT_EQ(stage("太短了"), "length");
  EXPECT_EQ(stage("★☆★☆★☆★☆★☆★☆★☆★☆★☆★☆★☆★☆★☆字"), "symbols");
  std::string broken = kGood;
  for (int i = 0; i < 20; ++i) broken += "\uFFFD";
  EXPECT_EQ(stage(broken), "broken");
  std::string lines;
  for (int i = 0; i < 20; ++i) lines += "请勿在此停车，违者后果自负。\n";
  EXPECT_EQ(stage(lines), "repetition");
}

TEST(Filters, ReasonNamesTheNumbers) {
  const auto judged = judge("太短了", measure("太短了"));
  ASSERT_TRUE(judged.drop);
  EXPECT_EQ(judged.drop->reason, "3 characters, fewer than 20");
}

TEST(Filters, OneSpamWordNeverDrops) {
  EXPECT_EQ(
      stage("商业银行发放贷款应当审查借款人的偿还能力和用途，贷款期限由双方约定，逾期的应当催收。"),
      "");
  EXPECT_EQ(stage("禁止任何单位和个人开设赌场、组织赌博；为赌博提供条件的，由公安机关依法给予处罚，"
                  "情节严重的追究刑事责任。"),
            "");
}

TEST(Filters, DenseSpamGoes) {
  EXPECT_EQ(stage("真人荷官在线发牌，百家乐老虎机应有尽有，注册即送彩金，提现秒到账，赶快投注。"),
            "spam");
}

// More distinct lines and runs than a text of that size mostly has.
TEST(Filters, TextThatNeverRepeatsIsMeasured) {
  std::string lines, runs;
  for (uint32_t i = 0, x = 1; i < 200'000; ++i) {
    x = x * 1664525 + 1013904223;
    lines += fmt::format("{:x}\n", i);
    runs.push_back(static_cast<char>('a' + (x >> 24) % 26));
  }
  EXPECT_EQ(measure(lines).lines, 200'000);
  EXPECT_EQ(measure(lines).repeated_line_chars, 0);
  EXPECT_LT(measure(runs).repeated_run_share(), 0.01);
}

const Limits& limits_of(std::string_view profile) {
  return profile_named(profile)->limits;
}

TEST(Filters, LinesSayHowTheyBeginAndEnd) {
  const TextStats stats = measure(
      "第一条 本办法自公布之日起施行。\n- 一个列表项\n· "
      "另一项\n更多内容见下页…\n未完待续...\n首页\n"
      "他说：“维护保养的人到了。”\n-5 度以下不得作业的规定\n");
  EXPECT_EQ(stats.lines, 8);
  EXPECT_EQ(stats.bullet_lines, 2);
  EXPECT_EQ(stats.ellipsis_lines, 2);
  EXPECT_EQ(stats.ended_lines, 2);
  EXPECT_EQ(stats.short_lines, 5);
}

TEST(Filters, AMenuOfAPageGoesByDoubtsAndAnArticleStays) {
  std::string menu, article;
  for (int i = 0; i < 60; ++i) menu += fmt::format("栏目{}频道\n", i);
  for (const char* days : {"周一", "周三", "周五"})
    article += fmt::format(
        "{0}上午，维护人员逐层检查了门锁和限速器，并把{0}测得的结果写进了保养记录里。\n"
        "到了{0}下午，使用单位的安全员又在机房里核对{0}的制动间隙，确认它们都在规定的范围之内。\n",
        days);
  article +=
      "检验机构的人随后来到现场，先看了三次保养的记录，再请维护人员当面打开控制柜演示一遍救援过程。"
      "\n";
  const Judged bad = judge(menu, measure(menu), limits_of("web"));
  ASSERT_TRUE(bad.drop);
  EXPECT_EQ(bad.drop->stage, "doubts");
  EXPECT_GT(bad.doubt, 1);
  EXPECT_EQ(bad.doubts.size(), 3u) << bad.drop->reason;  // line length, short lines, sentences
  const Judged good = judge(article, measure(article), limits_of("web"));
  EXPECT_FALSE(good.drop);
  EXPECT_TRUE(good.doubts.empty());
  EXPECT_EQ(stage(menu), "");  // "general" has no doubts
}

TEST(Filters, OneDoubtNeverDrops) {
  Limits limits = limits_of("general");
  ASSERT_TRUE(set_limits({{"ended_line_share_min", 1.0}}, limits));
  const std::string text = "一行没有句号的文字也可以是好的文字\n再来一行同样没有标点的文字\n";
  const Judged judged = judge(text, measure(text), limits);
  EXPECT_FALSE(judged.drop);
  EXPECT_EQ(judged.doubt, 1);
  EXPECT_EQ(judged.doubts,
            std::vector<std::string>{"share of lines that end like sentences 0.000, below 1.000"});
}

TEST(Filters, TablesNameEveryLimitOnceAndLimitsAreChecked) {
  for (const Profile& profile : profiles()) {
    EXPECT_EQ(profile_named(profile.name), &profile);
    std::map<std::string, double> all;
    for (size_t i = 0; i < kFilters; ++i) {
      EXPECT_TRUE(all.emplace(filters()[i].key, profile.limits[i]).second) << filters()[i].key;
      EXPECT_TRUE(filters()[i].is_min() || filters()[i].key.ends_with("_max"));
    }
    Limits limits{};
    EXPECT_TRUE(set_limits(all, limits)) << profile.name;
    EXPECT_EQ(limits, profile.limits);
  }
  EXPECT_EQ(profile_named("poems"), nullptr);
  Limits limits{};
  EXPECT_FALSE(set_limits({{"chars_max", 1}}, limits));
  EXPECT_FALSE(set_limits({{"han_share_min", 1.5}}, limits));
}

TEST(Filters, LanguageByShareOfCharacters) {
  EXPECT_EQ(language_of(measure(kGood)), "zh");
  EXPECT_EQ(language_of(measure("The contractor shall arrive within thirty minutes.")), "en");
  EXPECT_EQ(language_of(measure("12345 67890")), "und");
}

}  // namespace
}  // namespace plinth::corpus
