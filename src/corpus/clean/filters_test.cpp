#include "corpus/clean/filters.h"

#include <gtest/gtest.h>

namespace plinth::corpus {
namespace {

std::string stage(const std::string& text, const RefineRecipe& recipe = {}) {
  const auto judged = judge(text, measure(text), recipe);
  return judged.drop ? judged.drop->stage : "";
}

const char* const kGood =
    "第一条 为了规范电梯维护保养工作，保障乘客安全，根据有关法律，制定本办法。\n"
    "第二条 维护保养单位应当在接到报警后三十分钟内到达现场，并如实记录救援过程。\n"
    "第三条 使用单位应当配合检查，不得拒绝提供技术资料。\n";

TEST(Filters, GoodTextStays) {
  EXPECT_EQ(stage(kGood), "");
  EXPECT_GT(judge(kGood, measure(kGood), {}).quality, 0.7);
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
  const auto judged = judge("太短了", measure("太短了"), {});
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

TEST(Filters, LanguageByShareOfCharacters) {
  EXPECT_EQ(language_of(measure(kGood)), "zh");
  EXPECT_EQ(language_of(measure("The contractor shall arrive within thirty minutes.")), "en");
  EXPECT_EQ(language_of(measure("12345 67890")), "und");
}

}  // namespace
}  // namespace plinth::corpus
